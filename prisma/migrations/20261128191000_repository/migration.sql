-- Groups whose policy a repository is the source of, and groups that a repository no longer has. What Prisma's model
-- cannot say is at the end.

-- AlterTable
ALTER TABLE "group" ADD COLUMN "repository" TEXT,
ADD COLUMN "retired_at" TIMESTAMPTZ(3);

-- Nobody comes into a retired group, whichever way and however close to its retirement: whoever retires one locks its row
-- for update, and what comes in waits for that here.
CREATE FUNCTION "refuse_retired_group"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone TIMESTAMPTZ;
BEGIN
    SELECT "retired_at" INTO gone FROM "group" WHERE "id" = NEW."group_id" FOR KEY SHARE;
    IF gone IS NOT NULL THEN
        RAISE EXCEPTION 'the group % is retired', NEW."group_id" USING ERRCODE = 'SPRET';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER "workstation_group_stands" BEFORE INSERT OR UPDATE OF "group_id" ON "workstation"
    FOR EACH ROW EXECUTE FUNCTION "refuse_retired_group"();
CREATE TRIGGER "enrol_token_group_stands" BEFORE INSERT ON "enrol_token"
    FOR EACH ROW EXECUTE FUNCTION "refuse_retired_group"();
