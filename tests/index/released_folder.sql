BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE clip (
	id INTEGER NOT NULL, 
	vector_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	embedding BLOB NOT NULL, 
	CONSTRAINT pk_clip PRIMARY KEY (id), 
	CONSTRAINT fk_clip_vector_id_instrument FOREIGN KEY(vector_id) REFERENCES instrument (vector_id) ON DELETE CASCADE, 
	CONSTRAINT uq_clip_vector_id_position UNIQUE (vector_id, position)
);
INSERT INTO "clip" VALUES(1,1,0,X'4F3E213999559337CC680538D2E7CE37A9583437F5E213378024DA37F5E21337E5DF08380000803FF5E213373924FB377AA67E375685EF37F5E213373574CD37');
INSERT INTO "clip" VALUES(2,1,1,X'4F3E213999559337CC680538D2E7CE37A9583437F5E213378024DA37F5E21337E5DF08380000803FF5E213373924FB377AA67E375685EF37F5E213373574CD37');
INSERT INTO "clip" VALUES(3,2,0,X'4F3E2139F5E21337042847370B3D5C37F5E213378024DA37F5E213377AA67E37A9583437BA9C2B37995593373574CD37F5E213370000803F5685EF37D2E7CE37');
INSERT INTO "clip" VALUES(4,2,1,X'4F3E2139F5E21337042847370B3D5C37F5E213378024DA37F5E213377AA67E37A9583437BA9C2B37995593373574CD37F5E213370000803F5685EF37D2E7CE37');
INSERT INTO "clip" VALUES(5,3,0,X'4F3E21390000803FCC680538A95834373924FB37BA9C2B37F5E21337F5E213370B3D5C378024DA375685EF379D1888377AA67E37F5E2133799559337E5DF0838');
INSERT INTO "clip" VALUES(6,3,1,X'4F3E21390000803FCC680538A95834373924FB37BA9C2B37F5E21337F5E213370B3D5C378024DA375685EF379D1888377AA67E37F5E2133799559337E5DF0838');
INSERT INTO "clip" VALUES(7,4,0,X'4F3E21395685EF3704284737E5DF08380B3D5C370000803FBA9C2B377AA67E37D2E7CE37F5E21337F5E21337F5E21337F5E2133799559337F5E213379D188837');
INSERT INTO "clip" VALUES(8,4,1,X'4F3E21395685EF3704284737E5DF08380B3D5C370000803FBA9C2B377AA67E37D2E7CE37F5E21337F5E21337F5E21337F5E2133799559337F5E213379D188837');
CREATE TABLE "instrument" (
	vector_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(16) NOT NULL, 
	library_id VARCHAR(16) NOT NULL, 
	name VARCHAR(300) NOT NULL, 
	family VARCHAR(20), 
	source TEXT NOT NULL, 
	num_clips INTEGER NOT NULL, 
	encoder_hash VARCHAR(80) NOT NULL, 
	embedding BLOB NOT NULL, 
	created_at DATETIME NOT NULL, 
	licence TEXT, 
	lowest_pitch INTEGER, 
	highest_pitch INTEGER, 
	deleted_at DATETIME, 
	source_name VARCHAR(300), 
	name_corrected BOOLEAN DEFAULT 0 NOT NULL, 
	family_corrected BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT uq_instrument_id UNIQUE (id), 
	CONSTRAINT fk_instrument_library_id_library FOREIGN KEY(library_id) REFERENCES library (id) ON DELETE CASCADE
);
INSERT INTO "instrument" VALUES(1,'i_f65616be5331','l_02dce664d4f0','Bright Lead','synth_lead','files/Bright Lead.wav',2,'sha256:tones',X'4F3E213999559337CC680538D2E7CE37A9583437F5E213378024DA37F5E21337E5DF08380000803FF5E213373924FB377AA67E375685EF37F5E213373574CD37','2026-11-24 18:05:38.427227',NULL,NULL,NULL,NULL,'Bright Lead',0,0);
INSERT INTO "instrument" VALUES(2,'i_580bcfbe129b','l_02dce664d4f0','Glass Bell','mallet','files/Glass Bell.wav',2,'sha256:tones',X'4F3E2139F5E21337042847370B3D5C37F5E213378024DA37F5E213377AA67E37A9583437BA9C2B37995593373574CD37F5E213370000803F5685EF37D2E7CE37','2026-11-24 18:05:38.427233',NULL,NULL,NULL,'2026-11-24 18:05:38.826243','Glass Bell',0,0);
INSERT INTO "instrument" VALUES(3,'i_6dd8c7034225','l_02dce664d4f0','Deep Tone','synth_lead','files/Low Bass.wav',2,'sha256:tones',X'4F3E21390000803FCC680538A95834373924FB37BA9C2B37F5E21337F5E213370B3D5C378024DA375685EF379D1888377AA67E37F5E2133799559337E5DF0838','2026-11-24 18:05:38.427235',NULL,NULL,NULL,NULL,'Low Bass',1,1);
INSERT INTO "instrument" VALUES(4,'i_25b2ee0e6d1b','l_02dce664d4f0','Soft Flute','flute','files/Soft Flute.wav',2,'sha256:tones',X'4F3E21395685EF3704284737E5DF08380B3D5C370000803FBA9C2B377AA67E37D2E7CE37F5E21337F5E21337F5E21337F5E2133799559337F5E213379D188837','2026-11-24 18:05:38.427236',NULL,NULL,NULL,NULL,'Soft Flute',0,0);
CREATE TABLE job (
	id VARCHAR(16) NOT NULL, 
	library_id VARCHAR(16), 
	state VARCHAR(10) NOT NULL, 
	done INTEGER NOT NULL, 
	total INTEGER NOT NULL, 
	message TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_job PRIMARY KEY (id), 
	CONSTRAINT fk_job_library_id_library FOREIGN KEY(library_id) REFERENCES library (id) ON DELETE SET NULL, 
	CONSTRAINT ck_job_state CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled'))
);
INSERT INTO "job" VALUES('j_4743a4dc5151','l_02dce664d4f0','done',4,4,'4 added','2026-11-24 18:05:37.867595','2026-11-24 18:05:38.499204');
CREATE TABLE "library" (
	id VARCHAR(16) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	encoder_hash VARCHAR(80) NOT NULL, 
	revision INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_library PRIMARY KEY (id)
);
INSERT INTO "library" VALUES('l_02dce664d4f0','Tones','sha256:tones',3,'2026-11-24 18:05:37.798516',NULL);
INSERT INTO "library" VALUES('l_8c8b4c4580be','Deleted','sha256:tones',1,'2026-11-24 18:05:38.852708','2026-11-24 18:05:38.860472');
CREATE TABLE library_map (
	library_id VARCHAR(16) NOT NULL, 
	revision INTEGER NOT NULL, 
	method VARCHAR(10) NOT NULL, 
	explained_variance JSON, 
	vector_ids BLOB NOT NULL, 
	points BLOB NOT NULL, 
	num_guessed INTEGER NOT NULL, 
	CONSTRAINT pk_library_map PRIMARY KEY (library_id), 
	CONSTRAINT fk_library_map_library_id_library FOREIGN KEY(library_id) REFERENCES library (id) ON DELETE CASCADE
);
INSERT INTO "library_map" VALUES('l_02dce664d4f0',1,'PCA','[0.33334016124891475, 0.3333369702167479]',X'0100000000000000020000000000000003000000000000000400000000000000',X'2BFF7F3FD3FF7F3FD3FF7FBFB8FE7F3F0000803F2BFF7FBF59FF7FBF60FF7FBF',0);
CREATE TABLE "query" (
	id VARCHAR(16) NOT NULL, 
	library_id VARCHAR(16), 
	file_name TEXT NOT NULL, 
	audio VARCHAR(80), 
	result JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_query PRIMARY KEY (id), 
	CONSTRAINT fk_query_library_id_library FOREIGN KEY(library_id) REFERENCES library (id) ON DELETE SET NULL
);
INSERT INTO "query" VALUES('q_e3bfc015c18b','l_02dce664d4f0','mixture.wav','q_e3bfc015c18b.wav','{"id": "q_e3bfc015c18b", "library": {"id": "l_02dce664d4f0", "name": "Tones", "num_instruments": 4}, "mode": "auto", "encoder": "sha256:tones", "name": "mixture.wav", "duration_seconds": 2.0, "range_seconds": [0.0, 2.0], "num_instruments": 2, "slots": [{"slot": 0, "presence": 1.0, "active": [[0.0, 2.0]], "hits": [{"instrument_id": "i_f65616be5331", "name": "Bright Lead", "family": "synth_lead", "similarity": 1.0, "preview_url": "/v1/instruments/i_f65616be5331/preview"}, {"instrument_id": "i_6dd8c7034225", "name": "Deep Tone", "family": "synth_lead", "similarity": 0.0, "preview_url": "/v1/instruments/i_6dd8c7034225/preview"}, {"instrument_id": "i_580bcfbe129b", "name": "Glass Bell", "family": "mallet", "similarity": 0.0, "preview_url": "/v1/instruments/i_580bcfbe129b/preview"}, {"instrument_id": "i_25b2ee0e6d1b", "name": "Soft Flute", "family": "flute", "similarity": 0.0, "preview_url": "/v1/instruments/i_25b2ee0e6d1b/preview"}], "curve": [[0.5, 1.0], [1.0, 1.0], [1.5, 1.0]], "family": "synth_lead", "close": true}, {"slot": 1, "presence": 1.0, "active": [[0.0, 2.0]], "hits": [{"instrument_id": "i_6dd8c7034225", "name": "Deep Tone", "family": "synth_lead", "similarity": 1.0, "preview_url": "/v1/instruments/i_6dd8c7034225/preview"}, {"instrument_id": "i_25b2ee0e6d1b", "name": "Soft Flute", "family": "flute", "similarity": 0.0, "preview_url": "/v1/instruments/i_25b2ee0e6d1b/preview"}, {"instrument_id": "i_f65616be5331", "name": "Bright Lead", "family": "synth_lead", "similarity": 0.0, "preview_url": "/v1/instruments/i_f65616be5331/preview"}, {"instrument_id": "i_580bcfbe129b", "name": "Glass Bell", "family": "mallet", "similarity": 0.0, "preview_url": "/v1/instruments/i_580bcfbe129b/preview"}], "curve": [[0.5, 1.0], [1.0, 1.0], [1.5, 1.0]], "family": "synth_lead", "close": true}], "retrieved": ["i_6dd8c7034225", "i_f65616be5331"], "audio_url": "/v1/queries/q_e3bfc015c18b/audio", "asked_again": null, "timing_ms": {"decode": 3.02, "encode": 8.98, "search": 87.44}}','2026-11-24 18:05:38.733224');
CREATE INDEX ix_job_library_id ON job (library_id);
CREATE INDEX ix_query_library_id ON "query" (library_id);
CREATE INDEX ix_query_created_at ON "query" (created_at);
CREATE UNIQUE INDEX uq_library_name_kept ON library (name) WHERE deleted_at IS NULL;
CREATE INDEX ix_instrument_library_id_family ON instrument (library_id, family);
CREATE UNIQUE INDEX uq_instrument_name_kept ON instrument (library_id, name) WHERE deleted_at IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('instrument',4);
COMMIT;
