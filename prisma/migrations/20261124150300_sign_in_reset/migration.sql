-- A one-time link may also be for somebody who has an account and lost the way into it.
ALTER TABLE "person_invite" ADD COLUMN "person_id" TEXT;
CREATE INDEX "person_invite_person_id_idx" ON "person_invite"("person_id");
ALTER TABLE "person_invite" ADD CONSTRAINT "person_invite_person_id_fkey" FOREIGN KEY ("person_id") REFERENCES "person"("id") ON DELETE CASCADE ON UPDATE CASCADE;
