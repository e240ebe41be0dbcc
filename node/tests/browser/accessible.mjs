// axe on the page that is shown.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const AXE = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** axe finds nothing: not WCAG 2.2 AA, not its advice. */
export async function isAccessible(page, shown) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  // Preloading would fetch, which the content policy of our pages forbids.
  const found = await page.evaluate(
    (values) => window.axe.run(document, { preload: false, runOnly: { type: 'tag', values } }),
    RULES,
  );
  assert.ok(found.passes.length > 10, `${shown}: axe looked at ${found.passes.length} rules only`);
  const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
  assert.deepEqual(told, [], shown);
}
