export default defineAppConfig({
  pages: ["pages/index/index", "pages/phone/phone"],
  window: { navigationBarTitleText: "wxpass" },
});
