import { defineConfig } from "@tarojs/cli";

export default defineConfig({
  projectName: "wxpass-example-taro",
  designWidth: 750,
  sourceRoot: "src",
  outputRoot: "dist",
  framework: "react",
  compiler: "webpack5",
  plugins: ["@tarojs/plugin-framework-react"],
});
