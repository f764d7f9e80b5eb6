-- What is known of members beside name, tier and points: birthday, segments, PIN; points that wait; rewards given away.

-- Month and day: a year is asked of nobody.
ALTER TABLE account ADD COLUMN birthday text CHECK (birthday ~ '^[0-9]{2}-[0-9]{2}$');
-- Argon2id, as its own text form; the PIN itself is never stored.
ALTER TABLE account ADD COLUMN pin_hash text;

CREATE TABLE segment_member (
    account_id text NOT NULL,
    segment text NOT NULL,
    PRIMARY KEY (account_id, segment)
);
CREATE INDEX segment_named ON segment_member (segment);

-- What tills were told of a member once and holds no more ('tier:gold', 'birthday:11-24', 'segment:families', 'pin'):
-- a till that has not heard of the change yet sells by it in good faith.
CREATE TABLE formerly (
    account_id text NOT NULL,
    fact text NOT NULL,
    PRIMARY KEY (account_id, fact)
);

-- Points that cannot be spent yet, by the sale that brought them; gone on the day from which they can.
CREATE TABLE vesting (
    account_id text NOT NULL,
    entry_id uuid NOT NULL,
    vests_on date NOT NULL,
    points bigint NOT NULL,
    PRIMARY KEY (account_id, entry_id)
);
CREATE INDEX vesting_day ON vesting (vests_on);

-- How many of each reward with a stock were given in the whole chain. Goes by the reward: no account owns a stock.
CREATE TABLE reward_given (
    reward text PRIMARY KEY,
    given bigint NOT NULL
);

-- The feed names whatever readers know how to look up: a list here would have to change with every kind of it.
ALTER TABLE feed DROP CONSTRAINT IF EXISTS feed_subject_check;

-- The last whole night: what it looked at need not be looked at again.
CREATE TABLE night (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    day date NOT NULL,
    began_at timestamptz NOT NULL,
    version integer
);
