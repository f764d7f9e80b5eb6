-- A store manager may take a decision about a parked entry back, by another decision.
ALTER TABLE resolution DROP CONSTRAINT resolution_action_check;
ALTER TABLE resolution ADD CONSTRAINT resolution_action_check
    CHECK (action IN ('link', 'approve', 'reverse', 'refer', 'undo'));
