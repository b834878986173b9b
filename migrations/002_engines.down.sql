ALTER TABLE "620600_databases_instances" DROP COLUMN restart_revision;
ALTER TABLE "620600_databases_instances" DROP COLUMN settings;
ALTER TABLE "620600_databases_instances" DROP COLUMN more_ports;
