CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.baseline (
    task character varying NOT NULL,
    candidate character varying NOT NULL,
    set_ms bigint NOT NULL,
    set_by character varying
);
CREATE TABLE public.channel (
    run_id character varying(64) NOT NULL,
    ordinal integer NOT NULL,
    host character varying NOT NULL,
    energy_j double precision,
    low_j double precision,
    high_j double precision,
    uncertainty_rel double precision NOT NULL,
    gap_s double precision NOT NULL,
    counted boolean NOT NULL,
    note jsonb,
    definition jsonb NOT NULL,
    quality character varying(16) NOT NULL,
    machine_energy_j double precision,
    policy character varying,
    part_of character varying,
    lost_readings jsonb NOT NULL
);
CREATE TABLE public.footprint (
    run_id character varying(64) NOT NULL,
    version integer NOT NULL,
    computed_ms bigint NOT NULL,
    journal_sha256 character varying(64) NOT NULL,
    location_g double precision,
    upstream_g double precision,
    pue double precision NOT NULL,
    pue_assumed boolean NOT NULL,
    factor jsonb,
    reason jsonb,
    cost_amount double precision,
    currency character varying(8) NOT NULL
);
CREATE TABLE public.incident (
    run_id character varying(64) NOT NULL,
    ordinal integer NOT NULL,
    code character varying NOT NULL,
    message jsonb NOT NULL,
    remedy jsonb
);
CREATE TABLE public.metric (
    run_id character varying(64) NOT NULL,
    ordinal integer NOT NULL,
    name character varying NOT NULL,
    value double precision NOT NULL,
    higher_is_better boolean NOT NULL
);
CREATE TABLE public.run (
    id character varying(64) NOT NULL,
    name character varying NOT NULL,
    project character varying,
    task character varying,
    approach character varying(16),
    phase character varying(16),
    state character varying(16) NOT NULL,
    exit_code integer,
    error character varying,
    started_ms bigint NOT NULL,
    ended_ms bigint,
    year_month integer NOT NULL,
    duration_s double precision NOT NULL,
    "user" character varying,
    git_commit character varying,
    unit character varying,
    units double precision NOT NULL,
    total_j double precision,
    low_j double precision,
    high_j double precision,
    measured_share double precision,
    quality character varying(16),
    scope character varying(16) NOT NULL,
    machine_total_j double precision,
    location_g double precision,
    journal_lines integer NOT NULL,
    journal_bad_lines integer NOT NULL,
    journal_sha256 character varying(64) NOT NULL,
    hosts jsonb NOT NULL,
    tags jsonb NOT NULL,
    slurm jsonb,
    environment jsonb NOT NULL,
    site jsonb NOT NULL
);
CREATE TABLE public.run_tag (
    run_id character varying(64) NOT NULL,
    key character varying NOT NULL,
    value character varying NOT NULL
);
CREATE TABLE public.run_window (
    run_id character varying(64) NOT NULL,
    ordinal integer NOT NULL,
    window_id character varying NOT NULL,
    name character varying NOT NULL,
    parent character varying,
    started_ms bigint NOT NULL,
    duration_s double precision NOT NULL,
    energy_j double precision
);
CREATE TABLE public.sample_chunk (
    run_id character varying(64) NOT NULL,
    channel integer NOT NULL,
    ordinal integer NOT NULL,
    first_ms bigint NOT NULL,
    last_ms bigint NOT NULL,
    count integer NOT NULL,
    data bytea NOT NULL
);
INSERT INTO public.alembic_version (version_num) VALUES ('0002');
INSERT INTO public.baseline (task, candidate, set_ms, set_by) VALUES ('churn-2026', 'forest', 1795340623078, 'mia');
INSERT INTO public.channel (run_id, ordinal, host, energy_j, low_j, high_j, uncertainty_rel, gap_s, counted, note, definition, quality, machine_energy_j, policy, part_of, lost_readings) VALUES ('019a6f3c00aa01020304', 0, 'n1', 0.15, 0.135, 0.165, 0.05, 0.25, true, '{"de": "größer", "en": "larger"}', '{"id": "rapl:package-0", "host": "n1", "kind": "counter", "note": {"de": "größer", "en": "larger"}, "device": "package-0", "method": "rapl_powercap", "quality": "measured", "wrap_uj": 262143328850, "includes": ["dram"], "collector": "rapl", "component": "cpu", "max_power_uw": 2000000000, "uncertainty_rel": 0.05, "uncertainty_short": [[1.0, 0.5], [5.0, 0.1]], "uncertainty_low_rel": 0.01}', 'measured', NULL, NULL, NULL, '{}');
INSERT INTO public.channel (run_id, ordinal, host, energy_j, low_j, high_j, uncertainty_rel, gap_s, counted, note, definition, quality, machine_energy_j, policy, part_of, lost_readings) VALUES ('019a6f3c00aa01020304', 1, 'n1', 0.15, 0.135, 0.165, 0.05, 0.25, true, 'null', '{"id": "est", "host": "n1", "kind": "power", "device": "package-1", "method": "tdp", "quality": "estimated", "collector": "cpu_estimate", "component": "gpu", "max_power_uw": 2000000000, "uncertainty_rel": 0.05}', 'estimated', NULL, NULL, NULL, '{}');
INSERT INTO public.channel (run_id, ordinal, host, energy_j, low_j, high_j, uncertainty_rel, gap_s, counted, note, definition, quality, machine_energy_j, policy, part_of, lost_readings) VALUES ('019a6f3c00ab0a0b0c0d', 0, 'n1', NULL, NULL, NULL, 0.05, 0.25, false, '{"de": "Lücke „a“", "en": "gap ''a''"}', '{"id": "rapl:package-0", "host": "n1", "kind": "counter", "note": {"de": "größer", "en": "larger"}, "device": "package-0", "method": "rapl_powercap", "quality": "measured", "wrap_uj": 262143328850, "includes": ["dram"], "collector": "rapl", "component": "cpu", "max_power_uw": 2000000000, "uncertainty_rel": 0.05, "uncertainty_short": [[1.0, 0.5], [5.0, 0.1]], "uncertainty_low_rel": 0.01}', 'measured', NULL, NULL, NULL, '{}');
INSERT INTO public.channel (run_id, ordinal, host, energy_j, low_j, high_j, uncertainty_rel, gap_s, counted, note, definition, quality, machine_energy_j, policy, part_of, lost_readings) VALUES ('019a6f3c00ab0a0b0c0d', 1, 'n1', NULL, NULL, NULL, 0.05, 0.25, false, '{"de": "Lücke „a“", "en": "gap ''a''"}', '{"id": "est", "host": "n1", "kind": "power", "device": "package-1", "method": "tdp", "quality": "estimated", "collector": "cpu_estimate", "component": "gpu", "max_power_uw": 2000000000, "uncertainty_rel": 0.05}', 'estimated', NULL, NULL, NULL, '{}');
INSERT INTO public.footprint (run_id, version, computed_ms, journal_sha256, location_g, upstream_g, pue, pue_assumed, factor, reason, cost_amount, currency) VALUES ('019a6f3c00aa01020304', 1, 1795340623070, '9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f', 4.07, 0.61, 1.3, false, '{"id": "uba", "url": "https://doi.org/x", "year": 2025, "zone": "DE", "basis": "consumed", "gases": "CO2e", "source": "Umweltbundesamt: „Strommix“", "status": "final", "edition": "16/2026", "licence": "l", "boundary": "generation", "verified": false, "value_g_per_kwh": 352.0}', 'null', 0.0001, 'EUR');
INSERT INTO public.footprint (run_id, version, computed_ms, journal_sha256, location_g, upstream_g, pue, pue_assumed, factor, reason, cost_amount, currency) VALUES ('019a6f3c00ab0a0b0c0d', 1, 1795340623075, '', NULL, NULL, 1, true, 'null', '{"de": "kein Netz", "en": "no grid"}', NULL, 'EUR');
INSERT INTO public.incident (run_id, ordinal, code, message, remedy) VALUES ('019a6f3c00aa01020304', 0, 'rapl_unreadable', '{"de": "nicht lesbar", "en": "unreadable"}', '{"de": "öffnen", "en": "open"}');
INSERT INTO public.incident (run_id, ordinal, code, message, remedy) VALUES ('019a6f3c00aa01020304', 1, 'other', '{"de": "„x“", "en": "\"x\""}', 'null');
INSERT INTO public.metric (run_id, ordinal, name, value, higher_is_better) VALUES ('019a6f3c00aa01020304', 0, 'accuracy', 0.93, true);
INSERT INTO public.metric (run_id, ordinal, name, value, higher_is_better) VALUES ('019a6f3c00aa01020304', 1, 'log_loss', -1e-300, false);
INSERT INTO public.run (id, name, project, task, approach, phase, state, exit_code, error, started_ms, ended_ms, year_month, duration_s, "user", git_commit, unit, units, total_j, low_j, high_j, measured_share, quality, scope, machine_total_j, location_g, journal_lines, journal_bad_lines, journal_sha256, hosts, tags, slurm, environment, site) VALUES ('019a6f3c00aa01020304', 'Netz ''größer'' "100%" <b>ä_ö</b> 😀', 'churn', 'churn-2026', 'ai', 'training', 'failed', 3, 'ValueError', 1795262400000, 1795262412345, 202611, 12.345, 'mia', '4be91d7c0a', 'Dokument', 10, 0.30000000000000004, 0.27, 0.33, 0.6666666666666666, 'estimated', 'machine', 0.30000000000000004, 4.07, 412, 1, '9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f', '["n1", "n2"]', '{"dataset": "q3", "größe": "ä=b,c"}', '{"job_id": "7"}', '{"cpu": "x", "cpus": 4, "none": null, "nested": {"a": [1, 2.5]}, "virtual": true}', '{"pue": 1.3, "zone": "DE", "currency": "EUR", "electricity_price_per_kwh": 0.31}');
INSERT INTO public.run (id, name, project, task, approach, phase, state, exit_code, error, started_ms, ended_ms, year_month, duration_s, "user", git_commit, unit, units, total_j, low_j, high_j, measured_share, quality, scope, machine_total_j, location_g, journal_lines, journal_bad_lines, journal_sha256, hosts, tags, slurm, environment, site) VALUES ('019a6f3c00ab0a0b0c0d', 'bare', NULL, NULL, NULL, NULL, 'running', NULL, NULL, 1795262400000, NULL, 202611, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, 'machine', NULL, NULL, 0, 0, '', '[]', '{}', 'null', '{}', '{"pue": null, "zone": null, "currency": null, "electricity_price_per_kwh": null}');
INSERT INTO public.run_tag (run_id, key, value) VALUES ('019a6f3c00ab0a0b0c0d', 'größe', 'ä');
INSERT INTO public.run_window (run_id, ordinal, window_id, name, parent, started_ms, duration_s, energy_j) VALUES ('019a6f3c00aa01020304', 0, '1-1', 'Epoche 1', NULL, 1795262400001, 1.5, 12.5);
INSERT INTO public.run_window (run_id, ordinal, window_id, name, parent, started_ms, duration_s, energy_j) VALUES ('019a6f3c00aa01020304', 1, '1-2', 'lädt', 'Epoche 1', 1795262400002, 0, NULL);
INSERT INTO public.sample_chunk (run_id, channel, ordinal, first_ms, last_ms, count, data) VALUES ('019a6f3c00aa01020304', 0, 0, 1795262400000, 1795262999000, 600, '\x01789cedd6310980500084e15b747110dccc6009b182058c6003318401c4c926d6b08620c813dc1d0e1e3cfe2fc1bfddcdf26901bfb103fcd612f0ab8d930a7c8ed80148d2103b0049ca630700c05ff74bd70df8685a02350be0a36d0fd4ef808fce2c5091013eaa621f3c000080b43cb0369810');
INSERT INTO public.sample_chunk (run_id, channel, ordinal, first_ms, last_ms, count, data) VALUES ('019a6f3c00aa01020304', 0, 1, 1795263000000, 1795263099000, 100, '\x01789c636040060eb407db9c680f52f8690f6c19680f4ed0c18e043ad8c146073be8017efca53d289a4a7b50b892f6409195f64061a013c4284001009a771b84');
INSERT INTO public.sample_chunk (run_id, channel, ordinal, first_ms, last_ms, count, data) VALUES ('019a6f3c00aa01020304', 1, 0, 1795262400000, 1795262999000, 600, '\x01789cedd6310980500084e15b747110dccc6009b182058c6003318401c4c926d6b08620c813dc1d0e1e3cfe2fc1bfddcdf26901bfb103fcd612f0ab8d930a7c8ed80148d2103b0049ca630700c05ff74bd70df8685a02350be0a36d0fd4ef808fce2c5091013eaa621f3c000080b43cb0369810');
INSERT INTO public.sample_chunk (run_id, channel, ordinal, first_ms, last_ms, count, data) VALUES ('019a6f3c00aa01020304', 1, 1, 1795263000000, 1795263099000, 100, '\x01789c636040060eb407db9c680f52f8690f6c19680f4ed0c18e043ad8c146073be8017efca53d289a4a7b50b892f6409195f64061a013c4284001009a771b84');
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.baseline
    ADD CONSTRAINT pk_baseline PRIMARY KEY (task);
ALTER TABLE ONLY public.channel
    ADD CONSTRAINT pk_channel PRIMARY KEY (run_id, ordinal);
ALTER TABLE ONLY public.footprint
    ADD CONSTRAINT pk_footprint PRIMARY KEY (run_id, version);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT pk_incident PRIMARY KEY (run_id, ordinal);
ALTER TABLE ONLY public.metric
    ADD CONSTRAINT pk_metric PRIMARY KEY (run_id, ordinal);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT pk_run PRIMARY KEY (id);
ALTER TABLE ONLY public.run_tag
    ADD CONSTRAINT pk_run_tag PRIMARY KEY (run_id, key);
ALTER TABLE ONLY public.run_window
    ADD CONSTRAINT pk_run_window PRIMARY KEY (run_id, ordinal);
ALTER TABLE ONLY public.sample_chunk
    ADD CONSTRAINT pk_sample_chunk PRIMARY KEY (run_id, channel, ordinal);
CREATE INDEX ix_run_started_ms ON public.run USING btree (started_ms);
CREATE INDEX ix_run_task_approach ON public.run USING btree (task, approach);
CREATE INDEX ix_run_year_month_project_total_j_location_g ON public.run USING btree (year_month, project, total_j, location_g);
ALTER TABLE ONLY public.channel
    ADD CONSTRAINT fk_channel_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.footprint
    ADD CONSTRAINT fk_footprint_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT fk_incident_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.metric
    ADD CONSTRAINT fk_metric_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_tag
    ADD CONSTRAINT fk_run_tag_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_window
    ADD CONSTRAINT fk_run_window_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sample_chunk
    ADD CONSTRAINT fk_sample_chunk_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
