import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

/** Headers that need no nonce; the content security policy, which does, is in src/proxy.ts. */
const HEADERS = [
  { key: "X-Content-Type-Options", value: "nosniff" },
  { key: "X-Frame-Options", value: "DENY" },
  { key: "Referrer-Policy", value: "same-origin" },
  { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
  { key: "Cross-Origin-Resource-Policy", value: "same-origin" },
  { key: "Permissions-Policy", value: "camera=(), microphone=(), geolocation=(), usb=()" },
];

const config: NextConfig = {
  transpilePackages: ["@sallyport/shared", "geist"],
  serverExternalPackages: ["pg", "better-auth", "@prisma/client", "@prisma/adapter-pg"],
  poweredByHeader: false,
  devIndicators: false,
  // `npm run check` types everything, tests included; a build on a customer's machine need not do it again
  typescript: { ignoreBuildErrors: true },
  turbopack: { root: fileURLToPath(new URL("../../", import.meta.url)) },
  headers: async () => [{ source: "/:path*", headers: HEADERS }],
};

export default config;
