"use strict";
// Shows the OpenAPI document of this service with Swagger UI. The parameters `url` and `configUrl`
// of the page are ignored, so that a link cannot show another document under this address.
(() => {
  const place = document.getElementById("explorer");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function applyColours() {
    document.documentElement.classList.toggle("dark-mode", dark.matches);
  }

  /**
   * Send no cookies: only what was entered under Authorize identifies the caller. Ask for errors in
   * the language of the page.
   */
  function prepare(request) {
    request.credentials = "omit";
    request.headers["Accept-Language"] ??= place.dataset.language;
    return request;
  }

  /** Open the operation of an address such as `#/apps/log_in`. Swagger UI reports underscores. */
  function openOperation(system, hash) {
    const { layoutSelectors: { isShownKeyFromUrlHashArray: keyOf }, layoutActions: { show, scrollTo } } = system;
    const [tag, operation] = hash.replace(/^#?\/?/, "").split("/");
    if (!tag) return;
    show(keyOf([tag]), true);
    const key = keyOf(operation ? [tag, operation] : [tag]);
    show(key, true);
    scrollTo(key);
  }

  const deepLinks = () => ({
    statePlugins: {
      layout: { wrapActions: { parseDeepLinkHash: (original, system) => (hash) => openOperation(system, hash) } },
    },
  });

  applyColours();
  dark.addEventListener("change", applyColours);

  window.SwaggerUIBundle({
    url: new URL(place.dataset.document, window.location.origin).href,
    domNode: place,
    queryConfigEnabled: false,
    validatorUrl: null,
    persistAuthorization: false,
    withCredentials: false,
    requestInterceptor: prepare,
    deepLinking: true,
    // In production a request needs one click more.
    tryItOutEnabled: place.dataset.tryItOut === "on",
    displayRequestDuration: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    presets: [window.SwaggerUIBundle.presets.apis],
    plugins: [deepLinks],
    layout: "BaseLayout",
  });

  // The other language shows the same operation.
  for (const link of document.querySelectorAll(".languages a")) {
    link.addEventListener("click", () => { link.hash = window.location.hash; });
  }
})();
