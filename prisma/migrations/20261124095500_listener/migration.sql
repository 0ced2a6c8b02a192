-- What the agents' listener must remember: nonces that were used to renew a certificate.

-- CreateTable
CREATE TABLE "renew_nonce" (
    "nonce" TEXT NOT NULL,
    "used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "renew_nonce_pkey" PRIMARY KEY ("nonce")
);
