BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE baseline (
	task VARCHAR NOT NULL, 
	candidate VARCHAR NOT NULL, 
	set_ms BIGINT NOT NULL, 
	set_by VARCHAR, 
	CONSTRAINT pk_baseline PRIMARY KEY (task)
);
INSERT INTO "baseline" VALUES('churn-2026','forest',1795340625290,'mia');
CREATE TABLE "channel" (
	run_id VARCHAR(64) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	host VARCHAR NOT NULL, 
	energy_j DOUBLE, 
	low_j DOUBLE, 
	high_j DOUBLE, 
	uncertainty_rel DOUBLE NOT NULL, 
	gap_s DOUBLE NOT NULL, 
	counted BOOLEAN NOT NULL, 
	note JSON, 
	definition JSON NOT NULL, 
	quality VARCHAR(16) NOT NULL, 
	machine_energy_j DOUBLE, 
	policy VARCHAR, 
	part_of VARCHAR, 
	lost_readings JSON NOT NULL, 
	CONSTRAINT pk_channel PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_channel_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "channel" VALUES('019a6f3c00aa01020304',0,'n1',0.15,0.135,0.165,0.05,0.25,1,'{"de": "gr\u00f6\u00dfer", "en": "larger"}','{"id": "rapl:package-0", "collector": "rapl", "component": "cpu", "kind": "counter", "quality": "measured", "device": "package-0", "host": "n1", "method": "rapl_powercap", "uncertainty_rel": 0.05, "max_power_uw": 2000000000, "uncertainty_low_rel": 0.01, "uncertainty_short": [[1.0, 0.5], [5.0, 0.1]], "includes": ["dram"], "wrap_uj": 262143328850, "note": {"de": "gr\u00f6\u00dfer", "en": "larger"}}','measured',NULL,NULL,NULL,'{}');
INSERT INTO "channel" VALUES('019a6f3c00aa01020304',1,'n1',0.15,0.135,0.165,0.05,0.25,1,'null','{"id": "est", "collector": "cpu_estimate", "component": "gpu", "kind": "power", "quality": "estimated", "device": "package-1", "host": "n1", "method": "tdp", "uncertainty_rel": 0.05, "max_power_uw": 2000000000}','estimated',NULL,NULL,NULL,'{}');
INSERT INTO "channel" VALUES('019a6f3c00ab0a0b0c0d',0,'n1',NULL,NULL,NULL,0.05,0.25,0,'{"de": "L\u00fccke \u201ea\u201c", "en": "gap ''a''"}','{"id": "rapl:package-0", "collector": "rapl", "component": "cpu", "kind": "counter", "quality": "measured", "device": "package-0", "host": "n1", "method": "rapl_powercap", "uncertainty_rel": 0.05, "max_power_uw": 2000000000, "uncertainty_low_rel": 0.01, "uncertainty_short": [[1.0, 0.5], [5.0, 0.1]], "includes": ["dram"], "wrap_uj": 262143328850, "note": {"de": "gr\u00f6\u00dfer", "en": "larger"}}','measured',NULL,NULL,NULL,'{}');
INSERT INTO "channel" VALUES('019a6f3c00ab0a0b0c0d',1,'n1',NULL,NULL,NULL,0.05,0.25,0,'{"de": "L\u00fccke \u201ea\u201c", "en": "gap ''a''"}','{"id": "est", "collector": "cpu_estimate", "component": "gpu", "kind": "power", "quality": "estimated", "device": "package-1", "host": "n1", "method": "tdp", "uncertainty_rel": 0.05, "max_power_uw": 2000000000}','estimated',NULL,NULL,NULL,'{}');
CREATE TABLE footprint (
	run_id VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	computed_ms BIGINT NOT NULL, 
	journal_sha256 VARCHAR(64) NOT NULL, 
	location_g DOUBLE, 
	upstream_g DOUBLE, 
	pue DOUBLE NOT NULL, 
	pue_assumed BOOLEAN NOT NULL, 
	factor JSON, 
	reason JSON, 
	cost_amount DOUBLE, 
	currency VARCHAR(8) NOT NULL, 
	CONSTRAINT pk_footprint PRIMARY KEY (run_id, version), 
	CONSTRAINT fk_footprint_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "footprint" VALUES('019a6f3c00aa01020304',1,1795340625286,'9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f',4.07,0.61,1.3,0,'{"id": "uba", "zone": "DE", "value_g_per_kwh": 352.0, "year": 2025, "source": "Umweltbundesamt: \u201eStrommix\u201c", "edition": "16/2026", "url": "https://doi.org/x", "licence": "l", "boundary": "generation", "gases": "CO2e", "basis": "consumed", "status": "final", "verified": false}','null',0.0001,'EUR');
INSERT INTO "footprint" VALUES('019a6f3c00ab0a0b0c0d',1,1795340625289,'',NULL,NULL,1.0,1,'null','{"de": "kein Netz", "en": "no grid"}',NULL,'EUR');
CREATE TABLE incident (
	run_id VARCHAR(64) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	code VARCHAR NOT NULL, 
	message JSON NOT NULL, 
	remedy JSON, 
	CONSTRAINT pk_incident PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_incident_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "incident" VALUES('019a6f3c00aa01020304',0,'rapl_unreadable','{"de": "nicht lesbar", "en": "unreadable"}','{"de": "\u00f6ffnen", "en": "open"}');
INSERT INTO "incident" VALUES('019a6f3c00aa01020304',1,'other','{"de": "\u201ex\u201c", "en": "\"x\""}','null');
CREATE TABLE metric (
	run_id VARCHAR(64) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	value DOUBLE NOT NULL, 
	higher_is_better BOOLEAN NOT NULL, 
	CONSTRAINT pk_metric PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_metric_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "metric" VALUES('019a6f3c00aa01020304',0,'accuracy',0.93,1);
INSERT INTO "metric" VALUES('019a6f3c00aa01020304',1,'log_loss',-1.0e-300,0);
CREATE TABLE request_total (
	run_id VARCHAR(64) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	count BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	units DOUBLE NOT NULL, 
	tokens DOUBLE, 
	busy_s DOUBLE NOT NULL, 
	idle_s DOUBLE NOT NULL, 
	busy_j DOUBLE, 
	idle_j DOUBLE, 
	energy_per_request_p50_j DOUBLE, 
	energy_per_request_p95_j DOUBLE, 
	energy_per_unit_p50_j DOUBLE, 
	energy_per_unit_p95_j DOUBLE, 
	energy_per_token_p50_j DOUBLE, 
	energy_per_token_p95_j DOUBLE, 
	CONSTRAINT pk_request_total PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_request_total_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "request_total" VALUES('019a6f3c00aa01020304',0,10000000000,3,42.5,1000000000000.0,9.25,3.095,0.2,0.1,0.015,0.031,0.014,0.03,1.0e-12,2.0e-12);
CREATE TABLE run (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR NOT NULL, 
	project VARCHAR, 
	task VARCHAR, 
	approach VARCHAR(16), 
	phase VARCHAR(16), 
	state VARCHAR(16) NOT NULL, 
	exit_code INTEGER, 
	error VARCHAR, 
	started_ms BIGINT NOT NULL, 
	ended_ms BIGINT, 
	year_month INTEGER NOT NULL, 
	duration_s DOUBLE NOT NULL, 
	user VARCHAR, 
	git_commit VARCHAR, 
	unit VARCHAR, 
	units DOUBLE NOT NULL, 
	total_j DOUBLE, 
	low_j DOUBLE, 
	high_j DOUBLE, 
	measured_share DOUBLE, 
	quality VARCHAR(16), 
	scope VARCHAR(16) NOT NULL, 
	machine_total_j DOUBLE, 
	location_g DOUBLE, 
	journal_lines INTEGER NOT NULL, 
	journal_bad_lines INTEGER NOT NULL, 
	journal_sha256 VARCHAR(64) NOT NULL, 
	hosts JSON NOT NULL, 
	tags JSON NOT NULL, 
	slurm JSON, 
	environment JSON NOT NULL, 
	site JSON NOT NULL, checkpoints JSON, slurm_job_id VARCHAR(32), 
	CONSTRAINT pk_run PRIMARY KEY (id)
);
INSERT INTO "run" VALUES('019a6f3c00aa01020304','Netz ''größer'' "100%" <b>ä_ö</b> 😀','churn','churn-2026','ai','training','failed',3,'ValueError',1795262400000,1795262412345,202611,12.345,'mia','4be91d7c0a','Dokument',10.0,3.00000000000000044408e-01,0.27,0.33,6.66666666666666629659e-01,'estimated','machine',3.00000000000000044408e-01,4.07,412,1,'9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f','["n1", "n2"]','{"dataset": "q3", "gr\u00f6\u00dfe": "\u00e4=b,c"}','{"job_id": "7"}','{"cpu": "x", "cpus": 4, "virtual": true, "none": null, "nested": {"a": [1, 2.5]}}','{"zone": "DE", "pue": 1.3, "electricity_price_per_kwh": 0.31, "currency": "EUR"}','[]','7');
INSERT INTO "run" VALUES('019a6f3c00ab0a0b0c0d','bare',NULL,NULL,NULL,NULL,'running',NULL,NULL,1795262400000,NULL,202611,0.0,NULL,NULL,NULL,0.0,NULL,NULL,NULL,NULL,NULL,'machine',NULL,NULL,0,0,'','[]','{}','null','{}','{"zone": null, "pue": null, "electricity_price_per_kwh": null, "currency": null}','[]',NULL);
CREATE TABLE run_tag (
	run_id VARCHAR(64) NOT NULL, 
	"key" VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	CONSTRAINT pk_run_tag PRIMARY KEY (run_id, "key"), 
	CONSTRAINT fk_run_tag_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "run_tag" VALUES('019a6f3c00ab0a0b0c0d','größe','ä');
CREATE TABLE run_window (
	run_id VARCHAR(64) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	window_id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	parent VARCHAR, 
	started_ms BIGINT NOT NULL, 
	duration_s DOUBLE NOT NULL, 
	energy_j DOUBLE, 
	CONSTRAINT pk_run_window PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_run_window_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "run_window" VALUES('019a6f3c00aa01020304',0,'1-1','Epoche 1',NULL,1795262400001,1.5,12.5);
INSERT INTO "run_window" VALUES('019a6f3c00aa01020304',1,'1-2','lädt','Epoche 1',1795262400002,0.0,NULL);
CREATE TABLE sample_chunk (
	run_id VARCHAR(64) NOT NULL, 
	channel INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	first_ms BIGINT NOT NULL, 
	last_ms BIGINT NOT NULL, 
	count INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_sample_chunk PRIMARY KEY (run_id, channel, ordinal), 
	CONSTRAINT fk_sample_chunk_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "sample_chunk" VALUES('019a6f3c00aa01020304',0,0,1795262400000,1795262999000,600,X'01789CEDD6310980500084E15B747110DCCC6009B182058C6003318401C4C926D6B08620C813DC1D0E1E3CFE2FC1BFDDCDF26901BFB103FCD612F0AB8D930A7C8ED80148D2103B0049CA630700C05FF74BD70DF8685A02350BE0A36D0FD4EF808FCE2C5091013EAA621F3C000080B43CB0369810');
INSERT INTO "sample_chunk" VALUES('019a6f3c00aa01020304',0,1,1795263000000,1795263099000,100,X'01789C636040060EB407DB9C680F52F8690F6C19680F4ED0C18E043AD8C146073BE8017EFCA53D289A4A7B50B892F6409195F64061A013C4284001009A771B84');
INSERT INTO "sample_chunk" VALUES('019a6f3c00aa01020304',1,0,1795262400000,1795262999000,600,X'01789CEDD6310980500084E15B747110DCCC6009B182058C6003318401C4C926D6B08620C813DC1D0E1E3CFE2FC1BFDDCDF26901BFB103FCD612F0AB8D930A7C8ED80148D2103B0049CA630700C05FF74BD70DF8685A02350BE0A36D0FD4EF808FCE2C5091013EAA621F3C000080B43CB0369810');
INSERT INTO "sample_chunk" VALUES('019a6f3c00aa01020304',1,1,1795263000000,1795263099000,100,X'01789C636040060EB407DB9C680F52F8690F6C19680F4ED0C18E043AD8C146073BE8017EFCA53D289A4A7B50B892F6409195F64061A013C4284001009A771B84');
CREATE TABLE service_hour (
	run_id VARCHAR(64) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	started_ms BIGINT NOT NULL, 
	duration_s DOUBLE NOT NULL, 
	energy_j DOUBLE, 
	busy_j DOUBLE, 
	idle_j DOUBLE, 
	requests BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	units DOUBLE NOT NULL, 
	tokens DOUBLE, 
	energy_per_request_p50_j DOUBLE, 
	energy_per_request_p95_j DOUBLE, 
	CONSTRAINT pk_service_hour PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_service_hour_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "service_hour" VALUES('019a6f3c00aa01020304',0,1795262400000,3.5,0.1,0.07,0.03,5,3,5.0,NULL,0.01,0.02);
INSERT INTO "service_hour" VALUES('019a6f3c00aa01020304',1,1795262403500,8.845,NULL,NULL,NULL,10000000000,0,37.5,7.0,NULL,NULL);
CREATE TABLE slurm_job (
	cluster VARCHAR(40) NOT NULL, 
	job_id VARCHAR(32) NOT NULL, 
	started_ms BIGINT NOT NULL, 
	restart_count INTEGER NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	user VARCHAR, 
	imported_ms BIGINT NOT NULL, 
	job JSON NOT NULL, 
	CONSTRAINT pk_slurm_job PRIMARY KEY (cluster, job_id, started_ms)
);
CREATE INDEX ix_run_started_ms ON run (started_ms);
CREATE INDEX ix_run_task_approach ON run (task, approach);
CREATE INDEX ix_run_year_month_project_total_j_location_g ON run (year_month, project, total_j, location_g);
CREATE INDEX ix_slurm_job_job_id ON slurm_job (job_id);
CREATE INDEX ix_run_slurm_job_id ON run (slurm_job_id);
COMMIT;
