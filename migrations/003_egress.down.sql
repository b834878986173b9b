ALTER TABLE "620600_databases_instances" DROP COLUMN egress;
