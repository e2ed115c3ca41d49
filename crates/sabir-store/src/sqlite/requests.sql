-- Requests to the gateway, each when its answer is over. Times are in milliseconds; `time` is since 1970, UTC.
CREATE TABLE requests (
    id TEXT NOT NULL,
    time INTEGER NOT NULL,
    path TEXT NOT NULL,
    format TEXT,
    key TEXT,
    team TEXT,
    route TEXT,
    provider TEXT,
    model TEXT,
    status INTEGER,
    attempts INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    nano_usd INTEGER,
    cached INTEGER NOT NULL,
    error TEXT,
    left_early INTEGER NOT NULL,
    first_byte_ms INTEGER,
    took_ms INTEGER NOT NULL,
    request BLOB,
    response BLOB
) STRICT;

CREATE INDEX requests_by_time ON requests (time);
CREATE INDEX requests_by_id ON requests (id);
