-- Takes 001 back: children before parents.
DROP TABLE "620600_databases_meta";
DROP TABLE "620600_databases_idempotency";
DROP TABLE "620600_databases_audit";
DROP TABLE "620600_databases_tokens";
DROP TABLE "620600_databases_templates";
DROP TABLE "620600_databases_steps";
DROP TABLE "620600_databases_operations";
DROP TABLE "620600_databases_databases";
DROP TABLE "620600_databases_users";
DROP TABLE "620600_databases_credentials";
DROP TABLE "620600_databases_health_history";
DROP TABLE "620600_databases_metrics";
DROP TABLE "620600_databases_backups";
DROP TABLE "620600_databases_snapshots";
DROP TABLE "620600_databases_instances";
