"use strict";
// Swagger UI has English labels only. This file translates them. The texts of the API come from the
// OpenAPI document in the language of the page, and are left as they are.
(() => {
  const CHINESE = {
    "Authorize": "授权",
    "Authorized": "已授权",
    "Available authorizations": "授权方式",
    "Cancel": "取消",
    "Clear": "清空",
    "Close": "关闭",
    "Code": "状态码",
    "Controls": "对应请求头 ",
    "Curl": "curl 命令",
    "Default value": "默认值",
    "Description": "说明",
    "Details": "详情",
    "Download": "下载",
    "Edit Value": "编辑",
    "Example Value": "示例",
    "Examples": "示例",
    "Examples:": "示例：",
    "Execute": "发送请求",
    "Failed to load API definition.": "接口文档加载失败。",
    "header.": "",
    "In:": "位置：",
    "Links": "链接",
    "Logout": "清除",
    "Media type": "媒体类型",
    "Name": "名称",
    "Name:": "名称：",
    "No links": "无",
    "No parameters": "无参数",
    "Parameters": "参数",
    "Request body": "请求体",
    "Request duration": "耗时",
    "Request URL": "请求地址",
    "required": "必填",
    "Reset": "重置",
    "Response body": "响应体",
    "Response headers": "响应头",
    "Responses": "响应",
    "Schema": "结构",
    "Schemas": "数据结构",
    "Send empty value": "发送空值",
    "Server response": "服务器响应",
    "Servers": "服务器",
    "Try it out": "调试",
    "Undocumented": "文档未列出",
    "Value:": "值：",
  };
  // The names of the tags are part of addresses, so the document has them in English only.
  const TAGS = {
    "Login": "登录",
    "Phone and binding": "手机号与绑定",
    "Session": "登录会话",
    "My account": "我的账号",
    "Verification": "身份校验",
    "Health": "健康检查",
    "Admin: sign-in": "管理：登录",
    "Admin: own account": "管理：自己的账号",
    "Admin: mini-programs": "管理：小程序",
    "Admin: users": "管理：用户",
    "Admin: import and export": "管理：导入与导出",
    "Admin: statistics, sessions and audit log": "管理：统计、会话与审计日志",
    "Admin: alerts": "管理：告警",
    "Admin: tenants": "管理：租户",
    "Admin: operators": "管理：管理员",
  };
  // Texts of the document, examples, and what was sent and received.
  const LEFT = "pre, code, textarea, option, .markdown, .renderedMarkdown, .opblock-tag, .opblock-summary-path, "
    + ".opblock-summary-description, .model-box, .headers-wrapper";

  function translate(text) {
    const place = text.parentElement;
    const labels = place?.closest(".opblock-tag > a") ? TAGS : place?.closest(LEFT) ? {} : CHINESE;
    const translated = labels[text.data.trim()];
    if (translated !== undefined) text.data = translated;
  }

  function translateAll(root) {
    if (root.nodeType === Node.TEXT_NODE) translate(root);
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translate(texts.currentNode);
  }

  const place = document.getElementById("explorer");
  if (place.dataset.language === "zh") {
    const observer = new MutationObserver((changes) => {
      for (const change of changes) {
        if (change.type === "characterData") translate(change.target);
        for (const added of change.addedNodes) translateAll(added);
      }
    });
    observer.observe(place, { subtree: true, childList: true, characterData: true });
  }
})();
