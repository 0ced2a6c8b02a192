-- What waits for approvers' signatures, and what the approvers are called.

-- AlterTable
ALTER TABLE "group_key" ADD COLUMN "name" TEXT;

-- CreateTable
CREATE TABLE "proposal" (
    "id" UUID NOT NULL,
    "group_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "act" JSONB NOT NULL,
    "order_max" INTEGER,
    "asked_by" TEXT NOT NULL,
    "asked_at" TIMESTAMPTZ(3) NOT NULL,
    "expires" TIMESTAMPTZ(3) NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'waiting',
    "reason" TEXT,
    "ended_at" TIMESTAMPTZ(3),
    "ended_by" TEXT,

    CONSTRAINT "proposal_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "proposal_statement" (
    "proposal_id" UUID NOT NULL,
    "at" INTEGER NOT NULL,
    "workstation_id" UUID,
    "type" TEXT NOT NULL,
    "order" BIGINT NOT NULL,
    "statement" JSONB,

    CONSTRAINT "proposal_statement_pkey" PRIMARY KEY ("proposal_id","at")
);

-- CreateTable
CREATE TABLE "proposal_signature" (
    "proposal_id" UUID NOT NULL,
    "public_key" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,
    "signatures" JSONB,
    "signed_at" TIMESTAMPTZ(3) NOT NULL,
    "sent_by" TEXT NOT NULL,
    "address" TEXT,

    CONSTRAINT "proposal_signature_pkey" PRIMARY KEY ("proposal_id","public_key")
);

-- CreateIndex
CREATE INDEX "proposal_state_idx" ON "proposal"("state");

-- CreateIndex
CREATE INDEX "proposal_group_id_idx" ON "proposal"("group_id");

-- CreateIndex
CREATE INDEX "proposal_statement_workstation_id_idx" ON "proposal_statement"("workstation_id");

-- AddForeignKey
ALTER TABLE "proposal" ADD CONSTRAINT "proposal_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "proposal_statement" ADD CONSTRAINT "proposal_statement_proposal_id_fkey" FOREIGN KEY ("proposal_id") REFERENCES "proposal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "proposal_signature" ADD CONSTRAINT "proposal_signature_proposal_id_fkey" FOREIGN KEY ("proposal_id") REFERENCES "proposal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
