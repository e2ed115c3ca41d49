-- What was asked and answered. A message, and a medium in it, is there once, by its hash (SHA-256), however often it was
-- said.
CREATE TABLE media (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL
);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    -- In Sabir's vocabulary; media that were sent as bytes are empty in it, and follow by their place.
    json TEXT NOT NULL,
    text TEXT NOT NULL
);

CREATE TABLE message_media (
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    place INTEGER NOT NULL,
    medium INTEGER NOT NULL REFERENCES media,
    PRIMARY KEY (message, place)
) WITHOUT ROWID;
CREATE INDEX message_media_medium ON message_media (medium);

CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL,
    -- In its conversation, from 1.
    number INTEGER NOT NULL,
    -- When it was asked: milliseconds since 1970, UTC.
    time INTEGER NOT NULL,
    model TEXT NOT NULL,
    -- answered, partial or failed.
    outcome TEXT NOT NULL,
    error TEXT,
    -- What was asked without its messages, and the answer without its parts: JSON, in Sabir's vocabulary.
    request TEXT NOT NULL,
    answer TEXT,
    UNIQUE (conversation, number)
);
CREATE INDEX exchanges_time ON exchanges (time);

-- The messages that an exchange added to its conversation.
CREATE TABLE turns (
    exchange INTEGER NOT NULL REFERENCES exchanges ON DELETE CASCADE,
    place INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES messages,
    PRIMARY KEY (exchange, place)
) WITHOUT ROWID;
CREATE INDEX turns_message ON turns (message);

CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'messages', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2"
);
-- What is deleted is not to be found in the index's own pages.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN
    INSERT INTO words (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER messages_deleted AFTER DELETE ON messages BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
END;
