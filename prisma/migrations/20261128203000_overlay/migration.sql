-- The deny overlay: each order of it as it was signed, the entries as people made and lifted them, and what was sent.

-- CreateTable
CREATE TABLE "overlay" (
    "audience" TEXT NOT NULL,
    "order" BIGINT NOT NULL,
    "statement" JSONB NOT NULL,
    "made_at" TIMESTAMPTZ(3) NOT NULL,
    "not_after" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "overlay_pkey" PRIMARY KEY ("audience", "order")
);

-- CreateTable
CREATE TABLE "deny" (
    "id" CHAR(12) NOT NULL,
    "audience" TEXT NOT NULL,
    "what" JSONB NOT NULL,
    "words" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "until" TIMESTAMPTZ(3) NOT NULL,
    "added_by" TEXT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL,
    "added_order" BIGINT NOT NULL,
    "lifted_by" TEXT,
    "lifted_at" TIMESTAMPTZ(3),
    "lifted_order" BIGINT,
    "lift_reason" TEXT,

    CONSTRAINT "deny_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "overlay_dispatch" (
    "workstation_id" UUID NOT NULL,
    "sent" CHAR(64),
    "sent_at" TIMESTAMPTZ(3),

    CONSTRAINT "overlay_dispatch_pkey" PRIMARY KEY ("workstation_id")
);

-- CreateIndex
CREATE INDEX "deny_audience_until_idx" ON "deny"("audience", "until");

-- CreateIndex
CREATE INDEX "deny_added_at_idx" ON "deny"("added_at");
