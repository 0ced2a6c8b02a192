-- Since when a rollout has been looked at without a break: silence is held against nobody for the time before.
ALTER TABLE "rollout" ADD COLUMN "watched_from" TIMESTAMPTZ(3);
