-- Whether an instance may reach more than its clients. Instances from before are closed like new ones.

ALTER TABLE "620600_databases_instances" ADD COLUMN egress INTEGER NOT NULL DEFAULT 0;
