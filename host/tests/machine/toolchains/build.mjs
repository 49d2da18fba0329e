// Usage: node build.mjs SOURCE WIT OUTPUT. COMPONENTIZE_JS is the folder of componentize-js.
import { readFileSync, writeFileSync } from 'node:fs';

const [source, witPath, output] = process.argv.slice(2);
const { componentize } = await import(process.env.COMPONENTIZE_JS + '/src/componentize.js');
const { component } = await componentize(readFileSync(source, 'utf8'), { witPath, worldName: 'app' });
writeFileSync(output, component);
