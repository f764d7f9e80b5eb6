-- How far a night has got that goes through every account, since the programme changed: killed, it goes on from there.
CREATE TABLE night_pass (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    day date NOT NULL,
    began_at timestamptz NOT NULL,
    -- Everybody up to this account is done.
    after text NOT NULL
);
