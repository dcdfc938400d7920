// The page of the denoising view loads and runs nothing but what is ours.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageHtml } from "../src/denoising/page";

const HTML = pageHtml({
  cspSource: "https://ours.example",
  nonce: "n0nce",
  scriptUri: "https://ours.example/main.js",
  styleUri: "https://ours.example/view.css",
});

test("the policy forbids all but our style and the script with the nonce", () => {
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(HTML)?.[1];
  assert.equal(
    policy,
    "default-src 'none'; style-src https://ours.example; script-src 'nonce-n0nce'",
  );
});

test("nothing else is loaded, and nothing inline needs an exception", () => {
  const loaded = [...HTML.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1]);
  assert.deepEqual(loaded, ["https://ours.example/view.css", "https://ours.example/main.js"]);
  assert.ok(!/ style=| on[a-z]+=|<style/.test(HTML));
  assert.equal([...HTML.matchAll(/<script nonce="n0nce"/g)].length, 1);
});

test("every control has a name", () => {
  for (const [control] of HTML.matchAll(/<input[^>]*>/g)) {
    const isNamed = control.includes("aria-label=") || HTML.includes(`<label>${control}`);
    assert.ok(isNamed, control);
  }
  for (const [, name] of HTML.matchAll(/<button[^>]*>([^<]*)</g)) {
    assert.ok(name?.trim());
  }
});
