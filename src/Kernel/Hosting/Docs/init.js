Scalar.createApiReference('#app', {
  url: '/openapi/v1.json',
  // Everything that would send the document or a token elsewhere, or fetch from there; the page's content security policy forbids it besides.
  withDefaultFonts: false, telemetry: false, showDeveloperTools: 'never', hideClientButton: true, hideTestRequestButton: true,
  agent: { disabled: true }, mcp: { disabled: true },
});
