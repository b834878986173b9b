-- The eight tables of the module's specification, and what the control plane needs beside them.
-- Times are RFC 3339 in UTC; ids are UUIDv7 in text; JSON columns hold no secrets.

CREATE TABLE "620600_databases_instances" (
    id                  TEXT PRIMARY KEY,
    name                TEXT NOT NULL,
    engine              TEXT NOT NULL,
    version             TEXT NOT NULL,
    project             TEXT NOT NULL,
    region              TEXT NOT NULL,
    sku                 TEXT NOT NULL,
    vcpu                INTEGER NOT NULL CHECK (vcpu > 0),
    memory_mib          INTEGER NOT NULL CHECK (memory_mib > 0),
    storage_gib         INTEGER NOT NULL CHECK (storage_gib > 0),
    image_reference     TEXT NOT NULL DEFAULT '',
    image_digest        TEXT NOT NULL DEFAULT '',
    desired             TEXT NOT NULL CHECK (desired IN ('running', 'stopped', 'deleted')),
    revision            INTEGER NOT NULL DEFAULT 1,
    username            TEXT NOT NULL,
    database_name       TEXT,
    host_ip             TEXT NOT NULL,
    port                INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    seeded_from         TEXT,
    initialized_at      TEXT,
    deletion_protection INTEGER NOT NULL DEFAULT 0,
    labels              TEXT NOT NULL DEFAULT '{}',
    last_error          TEXT,
    row_version         INTEGER NOT NULL DEFAULT 1,
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL,
    UNIQUE (project, name),
    UNIQUE (host_ip, port)
) STRICT;

CREATE TABLE "620600_databases_snapshots" (
    id           TEXT PRIMARY KEY,
    instance_id  TEXT NOT NULL,
    name         TEXT NOT NULL,
    state        TEXT NOT NULL,
    size_bytes   INTEGER NOT NULL DEFAULT 0,
    sha256       TEXT,
    path         TEXT,
    metadata     TEXT NOT NULL DEFAULT '{}',
    created_at   TEXT NOT NULL,
    completed_at TEXT
) STRICT;
CREATE INDEX "620600_databases_snapshots_instance" ON "620600_databases_snapshots" (instance_id, created_at);

CREATE TABLE "620600_databases_backups" (
    id           TEXT PRIMARY KEY,
    instance_id  TEXT NOT NULL,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    size_bytes   INTEGER NOT NULL DEFAULT 0,
    sha256       TEXT,
    path         TEXT,
    verified_at  TEXT,
    expires_at   TEXT,
    metadata     TEXT NOT NULL DEFAULT '{}',
    created_at   TEXT NOT NULL,
    completed_at TEXT
) STRICT;
CREATE INDEX "620600_databases_backups_instance" ON "620600_databases_backups" (instance_id, created_at);

CREATE TABLE "620600_databases_metrics" (
    instance_id TEXT NOT NULL REFERENCES "620600_databases_instances" (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    at          INTEGER NOT NULL, -- Unix seconds
    value       REAL NOT NULL,
    PRIMARY KEY (instance_id, name, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE "620600_databases_health_history" (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL REFERENCES "620600_databases_instances" (id) ON DELETE CASCADE,
    at          TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('UP', 'DOWN', 'DEGRADED', 'UNKNOWN')),
    latency_ms  REAL,
    detail      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX "620600_databases_health_history_instance" ON "620600_databases_health_history" (instance_id, at);

-- Passwords that the daemon needs back: a hash to verify with, and the ciphertext under the master key.
CREATE TABLE "620600_databases_credentials" (
    instance_id TEXT NOT NULL REFERENCES "620600_databases_instances" (id) ON DELETE CASCADE,
    role        TEXT NOT NULL CHECK (role IN ('system', 'user')),
    username    TEXT NOT NULL,
    hash        TEXT NOT NULL,
    ciphertext  BLOB NOT NULL,
    revision    INTEGER NOT NULL DEFAULT 1,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (instance_id, role, username)
) STRICT, WITHOUT ROWID;

-- Users and databases inside the instances.
CREATE TABLE "620600_databases_users" (
    instance_id TEXT NOT NULL REFERENCES "620600_databases_instances" (id) ON DELETE CASCADE,
    username    TEXT NOT NULL,
    role        TEXT NOT NULL,
    databases   TEXT NOT NULL DEFAULT '[]',
    created_at  TEXT NOT NULL,
    PRIMARY KEY (instance_id, username)
) STRICT, WITHOUT ROWID;

CREATE TABLE "620600_databases_databases" (
    instance_id TEXT NOT NULL REFERENCES "620600_databases_instances" (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    owner       TEXT NOT NULL DEFAULT '',
    created_at  TEXT NOT NULL,
    PRIMARY KEY (instance_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE "620600_databases_operations" (
    id               TEXT PRIMARY KEY,
    kind             TEXT NOT NULL,
    instance_id      TEXT,
    project          TEXT NOT NULL DEFAULT '',
    state            TEXT NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelling', 'cancelled')),
    phase            TEXT NOT NULL DEFAULT '',
    progress_current INTEGER NOT NULL DEFAULT 0,
    progress_max     INTEGER NOT NULL DEFAULT 0,
    progress_unit    TEXT NOT NULL DEFAULT '',
    params           TEXT NOT NULL DEFAULT '{}',
    deadline_at      TEXT NOT NULL,
    error            TEXT,
    created_by       TEXT NOT NULL,
    created_at       TEXT NOT NULL,
    ended_at         TEXT
) STRICT;
CREATE INDEX "620600_databases_operations_open" ON "620600_databases_operations" (state)
    WHERE state IN ('pending', 'running', 'cancelling');
-- One operation at a time holds an instance.
CREATE UNIQUE INDEX "620600_databases_operations_lock" ON "620600_databases_operations" (instance_id)
    WHERE instance_id IS NOT NULL AND state IN ('pending', 'running', 'cancelling');
CREATE INDEX "620600_databases_operations_instance" ON "620600_databases_operations" (instance_id, id);

CREATE TABLE "620600_databases_steps" (
    operation_id TEXT NOT NULL REFERENCES "620600_databases_operations" (id) ON DELETE CASCADE,
    ordinal      INTEGER NOT NULL,
    name         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('started', 'succeeded', 'failed', 'undoing', 'undone')),
    started_at   TEXT NOT NULL,
    ended_at     TEXT,
    detail       TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (operation_id, ordinal)
) STRICT, WITHOUT ROWID;

-- Initialised data directories, one for each engine, version and image: the password is random and known to the daemon alone.
CREATE TABLE "620600_databases_templates" (
    id           TEXT PRIMARY KEY, -- name of its volume
    engine       TEXT NOT NULL,
    version      TEXT NOT NULL,
    image_digest TEXT NOT NULL,
    ready        INTEGER NOT NULL DEFAULT 0,
    ciphertext   BLOB NOT NULL,
    created_at   TEXT NOT NULL,
    UNIQUE (engine, version, image_digest)
) STRICT;

CREATE TABLE "620600_databases_tokens" (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    lookup       TEXT NOT NULL UNIQUE, -- public part of the token: finds the row without comparing secrets
    hash         TEXT NOT NULL,        -- argon2id
    permissions  TEXT NOT NULL,        -- JSON list
    projects     TEXT NOT NULL DEFAULT '[]',
    expires_at   TEXT,
    last_used_at TEXT,
    created_at   TEXT NOT NULL
) STRICT;

CREATE TABLE "620600_databases_audit" (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           TEXT NOT NULL,
    actor        TEXT NOT NULL,
    token_id     TEXT,
    ip           TEXT NOT NULL DEFAULT '',
    user_agent   TEXT NOT NULL DEFAULT '',
    route        TEXT NOT NULL,
    project      TEXT NOT NULL DEFAULT '',
    instance_id  TEXT,
    operation_id TEXT,
    params       TEXT NOT NULL DEFAULT '{}',
    result       TEXT NOT NULL
) STRICT;
CREATE INDEX "620600_databases_audit_instance" ON "620600_databases_audit" (instance_id, id);

-- First answers, for 24 hours. The body is ciphertext: it may hold a password that is shown once.
CREATE TABLE "620600_databases_idempotency" (
    actor        TEXT NOT NULL,
    key          TEXT NOT NULL,
    route        TEXT NOT NULL,
    body_sha256  TEXT NOT NULL,
    operation_id TEXT,
    status       INTEGER, -- NULL until the answer is known
    ciphertext   BLOB,
    created_at   TEXT NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;

-- Single values: installation id, whether the module is enabled.
CREATE TABLE "620600_databases_meta" (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
