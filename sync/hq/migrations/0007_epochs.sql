-- What a till's epochs need: where each ended, whose keys are past, and entries that contradict what is here.

-- Epochs that a terminal has left. Entries of them may still come, signed with its new key; each is booked once.
CREATE TABLE stream_closed (
    terminal_id text NOT NULL,
    epoch integer NOT NULL,
    durable_to bigint NOT NULL,
    head_digest bytea NOT NULL CHECK (length(head_digest) = 32),
    closed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (terminal_id, epoch)
);

-- Keys that no longer sign for their terminal: whoever still uses one holds a copy of a till.
CREATE TABLE key_retired (
    terminal_id text NOT NULL,
    public_key bytea NOT NULL CHECK (length(public_key) = 32),
    epoch integer NOT NULL,
    retired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (terminal_id, public_key)
);

-- An entry that contradicts what is here has no place in any epoch: it is parked under epoch 0, numbered as it came.
-- The same bytes are parked once.
CREATE UNIQUE INDEX parked_conflict ON parked (terminal_id, sha256(raw)) WHERE epoch = 0;
