//! What a SKU means for MariaDB and MySQL.

use super::{Flavour, MysqlFamily};
use crate::{Cx, Engine};

/// Values that follow from the SKU, unless the user has set them.
pub(super) struct Sku {
    pub(super) pool_mib: u32,
    /// MySQL rounds the pool up to a multiple of chunk times instances; small chunks keep that small.
    pub(super) chunk_mib: u32,
    pub(super) instances: u32,
    pub(super) log_mib: u32,
    pub(super) max_connections: u32,
    pub(super) table_open_cache: u32,
    pub(super) tmp_table_mib: u32,
    pub(super) aria_mib: u32,
    pub(super) performance_schema: bool,
}

impl MysqlFamily {
    /// With what the user has set.
    pub(super) fn sku(&self, cx: &Cx) -> Sku {
        let set = |name: &str| cx.settings.get(name).and_then(|v| v.parse::<u32>().ok());
        let plain = self.plain_sku(cx);
        let pool = set("innodb_buffer_pool_size").unwrap_or(plain.pool_mib);
        let (instances, chunk_mib) = parts(cx, pool);
        let step = instances * chunk_mib;
        Sku {
            pool_mib: if self.flavour == Flavour::Mysql { pool.div_ceil(step) * step } else { pool },
            chunk_mib,
            instances,
            max_connections: set("max_connections").unwrap_or(plain.max_connections),
            ..plain
        }
    }

    /// Without what the user has set.
    fn plain_sku(&self, cx: &Cx) -> Sku {
        let memory = cx.size.memory_mib;
        let pool = match (memory, self.flavour) {
            (0..=768, Flavour::Mysql) => memory / 5, // the server itself is large
            (0..=1024, _) => memory * 35 / 100,
            (1025..=4096, _) => memory / 2,
            _ => memory * 7 / 10,
        };
        let (instances, chunk_mib) = parts(cx, pool);
        // Whole chunks, and whole extents of 8 MiB as MariaDB has them.
        let step = (instances * chunk_mib).max(8);
        let pool_mib = (pool / step * step).max(step);
        Sku {
            pool_mib,
            chunk_mib,
            instances,
            // At most an eighth of the volume: a large memory may stand beside a small one.
            log_mib: (pool_mib / 4).clamp(16, 2048).min(cx.size.storage_gib * 128),
            max_connections: self.max_connections(&cx.size),
            table_open_cache: if memory <= 1024 { 400 } else { 2000 },
            tmp_table_mib: (memory / 64).clamp(8, 64),
            aria_mib: (memory / 32).clamp(8, 128),
            performance_schema: self.flavour == Flavour::Mysql && memory > 1024,
        }
    }

    /// Redo logs that no setting of this version names: those of MySQL 5.7, two files.
    pub(super) fn unnamed_logs_mib(&self, cx: &Cx) -> u32 {
        if self.flavour == Flavour::Mysql && cx.version.id == "5.7" { self.plain_sku(cx).log_mib * 2 } else { 0 }
    }

    /// What a setting is worth when the user says nothing and it follows from the SKU, in the catalogue's unit.
    pub(super) fn sku_value(&self, cx: &Cx, name: &str) -> Option<String> {
        let sku = self.plain_sku(cx);
        Some(match name {
            "innodb_buffer_pool_size" => sku.pool_mib.to_string(),
            "innodb_log_file_size" | "innodb_redo_log_capacity" => sku.log_mib.to_string(),
            "max_connections" => sku.max_connections.to_string(),
            "table_open_cache" => sku.table_open_cache.to_string(),
            "tmp_table_size" | "max_heap_table_size" => sku.tmp_table_mib.to_string(),
            "aria_pagecache_buffer_size" => sku.aria_mib.to_string(),
            "performance_schema" => sku.performance_schema.to_string(),
            _ => return None,
        })
    }
}

/// Instances and chunk size in MiB for a pool: at most 1000 chunks, powers of two.
fn parts(cx: &Cx, pool_mib: u32) -> (u32, u32) {
    let instances = if pool_mib < 1024 { 1 } else { cx.size.vcpu.next_power_of_two().min(8) };
    (instances, (pool_mib / instances / 512).next_power_of_two())
}
