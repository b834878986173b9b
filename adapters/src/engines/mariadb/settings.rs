//! Parameters that users of MariaDB change. Names, ranges, defaults: the manual's "Server System Variables".

use crate::Apply::{Dynamic, Immutable, Restart};
use crate::{Factor, Setting, Takes};

/// Whole hours and the well-known others: names of zones are not known to every server at its first start.
pub(crate) const TIME_ZONES: &[&str] = &[
    "-12:00", "-11:00", "-10:00", "-09:00", "-08:00", "-07:00", "-06:00", "-05:00", "-04:00", "-03:30", "-03:00",
    "-02:00", "-01:00", "+00:00", "+01:00", "+02:00", "+03:00", "+03:30", "+04:00", "+04:30", "+05:00", "+05:30",
    "+05:45", "+06:00", "+06:30", "+07:00", "+08:00", "+09:00", "+09:30", "+10:00", "+10:30", "+11:00", "+12:00",
    "+13:00",
];
/// Levels of isolation.
pub(crate) const ISOLATION: &[&str] = &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];

/// A table that is open: a server asks for two files for each, and describes it in about 10 KiB.
pub(crate) const TABLES: Takes = Takes::FILES.each(5 << 10).times(&[Factor::By(2)]);

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    // Connections
    Setting::int("max_connections", 10, 100_000, "", "", Dynamic, "Connections at once; each costs memory").takes(Takes::sessions(256)),
    Setting::int("max_user_connections", 0, 100_000, "", "0", Restart, "Connections of one user at once; 0 = no limit").takes(Takes::NOTHING),
    Setting::int("max_connect_errors", 1, 1_000_000_000, "", "100", Dynamic, "Failed connections in a row after which a host is shut out"),
    Setting::int("wait_timeout", 1, 31_536_000, "s", "28800", Dynamic, "Ends sessions that are idle for longer"),
    Setting::int("interactive_timeout", 1, 31_536_000, "s", "28800", Dynamic, "The same for interactive sessions"),
    Setting::int("connect_timeout", 2, 31_536_000, "s", "10", Dynamic, "Time for logging in"),
    Setting::int("net_read_timeout", 1, 31_536_000, "s", "30", Dynamic, "How long to wait for more of a client's data"),
    Setting::int("net_write_timeout", 1, 31_536_000, "s", "60", Dynamic, "How long to wait for a client that does not take data"),
    Setting::int("idle_transaction_timeout", 0, 31_536_000, "s", "0", Dynamic, "Ends sessions that sit in an open transaction; 0 = never"),
    Setting::int("max_allowed_packet", 1, 1024, "MiB", "16", Dynamic, "Longest statement or row").takes(Takes::CEILING),
    Setting::int("max_prepared_stmt_count", 0, 1_048_576, "", "16382", Dynamic, "Prepared statements at once"),
    Setting::choice("thread_handling", &["one-thread-per-connection", "pool-of-threads"], "one-thread-per-connection", Restart, "A pool serves many connections with few threads"),
    // Memory
    Setting::int("innodb_buffer_pool_size", 8, 1_048_576, "MiB", "", Restart, "Memory for InnoDB's pages").takes(Takes::MEMORY),
    Setting::int("tmp_table_size", 1, 65_536, "MiB", "", Dynamic, "Temporary tables larger than this go to disk").takes(Takes::WORK),
    Setting::int("max_heap_table_size", 1, 65_536, "MiB", "", Dynamic, "Largest MEMORY table, and limit of temporary tables").takes(Takes::CEILING),
    Setting::int("sort_buffer_size", 32, 1_048_576, "KiB", "2048", Dynamic, "Memory for each sort").takes(Takes::WORK),
    Setting::int("join_buffer_size", 1, 1_048_576, "KiB", "256", Dynamic, "Memory for each join without an index").takes(Takes::WORK),
    Setting::int("read_rnd_buffer_size", 1, 1_048_576, "KiB", "256", Dynamic, "Memory for reading sorted rows").takes(Takes::WORK),
    Setting::int("key_buffer_size", 1, 65_536, "MiB", "16", Dynamic, "Memory for MyISAM's indexes").takes(Takes::MEMORY),
    Setting::int("aria_pagecache_buffer_size", 1, 65_536, "MiB", "", Restart, "Memory for Aria's pages, also of temporary tables").takes(Takes::MEMORY),
    Setting::int("table_open_cache", 10, 1_048_576, "", "", Dynamic, "Tables kept open").takes(TABLES),
    // InnoDB
    Setting::int("innodb_log_file_size", 16, 524_288, "MiB", "", Dynamic, "Size of the redo log; large ones make writing faster and recovery slower").takes(Takes::STORAGE),
    Setting::choice("innodb_flush_log_at_trx_commit", &["0", "1", "2", "3"], "1", Dynamic, "1 = wait for the disk at each commit; otherwise a crash may lose the last transactions"),
    Setting::int("innodb_io_capacity", 100, 1_000_000, "", "1000", Dynamic, "Writes in a second that background work may use"),
    Setting::int("innodb_lock_wait_timeout", 0, 100_000_000, "s", "50", Dynamic, "How long a row lock is waited for"),
    Setting::int("lock_wait_timeout", 0, 31_536_000, "s", "86400", Dynamic, "How long a metadata lock is waited for"),
    Setting::flag("innodb_deadlock_detect", "true", Dynamic, "Look for deadlocks at once instead of waiting for the timeout"),
    Setting::flag("innodb_print_all_deadlocks", "false", Dynamic, "Log every deadlock"),
    Setting::flag("innodb_rollback_on_timeout", "false", Restart, "A lock timeout undoes the whole transaction"),
    Setting::choice("innodb_autoinc_lock_mode", &["0", "1", "2"], "1", Restart, "How values of AUTO_INCREMENT are handed out"),
    Setting::flag("innodb_adaptive_hash_index", "false", Dynamic, "Hash index over frequently used pages"),
    Setting::flag("innodb_strict_mode", "true", Dynamic, "Refuse table options that cannot be followed"),
    Setting::int("innodb_read_io_threads", 1, 64, "", "4", Restart, "Threads that read").takes(Takes::workers(256)),
    Setting::int("innodb_write_io_threads", 2, 64, "", "4", Restart, "Threads that write").takes(Takes::workers(256)),
    Setting::float("innodb_max_dirty_pages_pct", 0.0, 99.0, "90", Dynamic, "Share of changed pages above which they are written sooner"),
    Setting::int("innodb_ft_min_token_size", 0, 16, "", "3", Restart, "Shortest word in InnoDB's full-text indexes").takes(Takes::NOTHING),
    Setting::int("ft_min_word_len", 1, 84, "", "4", Restart, "Shortest word in other full-text indexes"),
    // SQL
    Setting::choice("sql_mode", &[
        "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
        "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
        "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
        "NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
    ], "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION", Dynamic, "How strictly SQL is taken"),
    Setting::choice("transaction_isolation", ISOLATION, "REPEATABLE-READ", Dynamic, "Isolation when a transaction does not say").not_in(&["10.11"]),
    Setting::choice("character_set_server", &["utf8mb4", "utf8mb3", "latin1", "ascii", "binary"], "utf8mb4", Dynamic, "Character set of new databases"),
    Setting::choice("time_zone", TIME_ZONES, "+00:00", Dynamic, "Time zone of sessions that do not set their own"),
    Setting::choice("lower_case_table_names", &["0", "1"], "0", Immutable, "1 = names of tables and databases are kept in lower case"),
    Setting::int("max_statement_time", 0, 31_536_000, "s", "0", Dynamic, "Ends statements that run longer; 0 = never"),
    Setting::int("group_concat_max_len", 4, 1_073_741_824, "B", "1048576", Dynamic, "Longest result of GROUP_CONCAT").takes(Takes::CEILING),
    Setting::flag("event_scheduler", "false", Dynamic, "Run events"),
    Setting::flag("local_infile", "false", Dynamic, "Let clients load their own files with LOAD DATA LOCAL"),
    // Logs and statistics
    Setting::float("long_query_time", 0.0, 31_536_000.0, "10", Dynamic, "Seconds from which a statement counts as slow in the metrics"),
    Setting::flag("performance_schema", "false", Restart, "Detailed statistics; costs memory").takes(Takes::MEMORY.each(100 << 20)),
];
