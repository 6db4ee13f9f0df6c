// The page of the description: the vendored Swagger UI over our own description, and nothing from elsewhere.
window.SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#interface",
  deepLinking: true,
  validatorUrl: null,
});
