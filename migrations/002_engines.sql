-- What engines beyond the first four need: several published ports, and settings that users have set.
-- restart_revision: the oldest revision that a running container may be of; it follows revision unless a setting counts at once.

ALTER TABLE "620600_databases_instances" ADD COLUMN more_ports TEXT NOT NULL DEFAULT '[]';
ALTER TABLE "620600_databases_instances" ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "620600_databases_instances" ADD COLUMN restart_revision INTEGER NOT NULL DEFAULT 1;
UPDATE "620600_databases_instances" SET restart_revision = revision;
