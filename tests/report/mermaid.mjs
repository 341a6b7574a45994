// Parses the Mermaid blocks of Markdown files by Mermaid itself: node mermaid.mjs FILE.md…
// Run where `npm install mermaid jsdom` was. Ends with 1 where a block does not parse, or where there is none.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = createRequire(process.cwd() + "/");
const load = (name) => import(pathToFileURL(here.resolve(name)).href);

// Mermaid cleans labels with the means of a browser.
const { JSDOM } = (await load("jsdom")).default;
const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document });
const { default: mermaid } = await load("mermaid");

let parsed = 0;
for (const file of process.argv.slice(2)) {
  for (const [, block] of readFileSync(file, "utf8").matchAll(/^```mermaid\n([\s\S]*?)^```$/gm)) {
    try {
      const { diagramType } = await mermaid.parse(block);
      if (diagramType !== "sequence") throw new Error(`a ${diagramType} diagram`);
      parsed += 1;
    } catch (error) {
      console.error(`${file}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
console.log(`${parsed} Mermaid diagrams parsed`);
if (parsed === 0) process.exitCode = 1;
