-- A row for each attempt that ended. Rows are added, and deleted only when they are older than what is kept.
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    call TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    time INTEGER NOT NULL,              -- when it began: nanoseconds since 1970, UTC
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,                  -- the name of a key, never the key
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    tags TEXT,                          -- a JSON object; NULL where there are none
    reserved INTEGER,                   -- nano-dollars; NULL where no price was known
    outcome TEXT NOT NULL,              -- answered, failed, cut, dropped, lost
    error TEXT,                         -- the kind of the error, of one that failed
    input INTEGER,                      -- tokens; NULL is unknown, never zero
    cache_read INTEGER,
    cache_write INTEGER,
    cache_write_1h INTEGER,
    audio_input INTEGER,
    image_input INTEGER,
    output INTEGER,
    reasoning INTEGER,
    audio_output INTEGER,
    image_output INTEGER,
    input_stated INTEGER,               -- the provider's own total, where its parts do not come to it
    output_stated INTEGER,
    tools TEXT,                         -- uses of the provider's tools, a JSON object; NULL where there are none
    estimated INTEGER NOT NULL,         -- 1 where a counter is an estimate
    cost INTEGER,                       -- nano-dollars; NULL where no price is known
    basis TEXT,                         -- reported, list_price, estimate
    receipt TEXT,                       -- JSON: the lines, and the version of the prices
    first_event INTEGER,                -- nanoseconds
    latency INTEGER NOT NULL,           -- nanoseconds
    UNIQUE (call, attempt)
) STRICT;
CREATE INDEX attempts_by_time ON attempts (time, cost);
CREATE INDEX attempts_by_model ON attempts (model, time, cost);
CREATE INDEX attempts_by_tenant ON attempts (tenant, time, cost) WHERE tenant <> '';
CREATE INDEX attempts_by_key ON attempts (key, time, cost) WHERE key <> '';

-- The labels of attempts, the other way round.
CREATE TABLE labels (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    time INTEGER NOT NULL,
    id INTEGER NOT NULL,                -- of the attempt
    PRIMARY KEY (name, value, time, id)
) STRICT, WITHOUT ROWID;

-- Attempts that have not ended.
CREATE TABLE open_attempts (
    call TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    journal TEXT NOT NULL,              -- of the process that makes it
    time INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    tags TEXT,
    reserved INTEGER,
    PRIMARY KEY (call, attempt)
) STRICT, WITHOUT ROWID;

-- How far each journal is in these tables: written together with what was read from it.
CREATE TABLE journals (
    id TEXT PRIMARY KEY,
    segment INTEGER NOT NULL,
    position INTEGER NOT NULL           -- bytes from the segment's beginning
) STRICT, WITHOUT ROWID;

-- For people.
CREATE VIEW spending AS SELECT
    strftime('%Y-%m-%d %H:%M:%S', time / 1000000000, 'unixepoch') AS utc,
    provider, model, tenant, key, tags, outcome, error,
    input, cache_read, output, reasoning,
    iif(cost IS NULL, NULL, printf('%d.%09d', cost / 1000000000, cost % 1000000000)) AS usd, basis,
    latency / 1000000 AS milliseconds, call, attempt
FROM attempts;
