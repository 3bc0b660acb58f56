"use strict";
window.wxpassLabels = { zh: {} };
