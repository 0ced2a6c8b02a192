-- How often a policy has its workstations say that they are well: what "late" and "silent" are measured by. Canonical
-- JSON has no spaces, and escapes a quotation mark inside a string, so this finds the member and nothing else.
ALTER TABLE "revision" ADD COLUMN "health_seconds" INTEGER
  GENERATED ALWAYS AS (substring("canonical" from '"healthSeconds":([0-9]{1,5})')::integer) STORED;
