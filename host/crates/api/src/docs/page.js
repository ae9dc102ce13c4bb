// Gives the renderer the description of the server that the page is from, tidied up for people.
"use strict";

// What most come for. Paths are told in alphabetical order otherwise.
const FIRST = "/api/v2/public/migrate-token";

function tidied(description) {
  const { [FIRST]: first, ...others } = description.paths;
  description.paths = { ...(first && { [FIRST]: first }), ...others };
  for (const item of Object.values(description.paths)) {
    for (const operation of Object.values(item)) {
      for (const parameter of operation.parameters ?? []) {
        // Each example of the operation has a value for it, most of them the same: one is enough to see its form.
        const [example] = Object.values(parameter.examples ?? {});
        if (example) {
          delete parameter.examples;
          parameter.example = example.value;
        }
      }
    }
  }
  return description;
}

async function show() {
  const answer = await fetch("openapi.json");
  if (!answer.ok) {
    throw new Error(`the server answered ${answer.status}`);
  }
  await customElements.whenDefined("openapi-explorer");
  await document.querySelector("openapi-explorer").loadSpec(tidied(await answer.json()));
}

show().catch((error) => {
  const failed = document.createElement("p");
  failed.className = "failed";
  failed.textContent = `The API's description could not be shown: ${error.message}`;
  document.querySelector("openapi-explorer").replaceWith(failed);
});
