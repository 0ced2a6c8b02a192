-- Why something was published, and the text a person wrote, belong to the publication: a revision that is published
-- again may come with other words. Empty only where an older console wrote the row.
ALTER TABLE "publication" ADD COLUMN "message" TEXT,
ADD COLUMN "source" TEXT;
UPDATE "publication" p SET "message" = r."message", "source" = r."source" FROM "revision" r WHERE r."digest" = p."digest";
