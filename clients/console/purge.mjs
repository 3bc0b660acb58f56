/** Classes of Tabler that are kept in the style sheet whether or not a template has them now. */

const UTILITIES =
  "[mp][trblxyse]?-(auto|[0-5])|g[xy]?-[0-5]|gap-[0-5]|d-(none|block|flex|grid|inline|inline-block|inline-flex)" +
  "|flex-(row|column|wrap|fill|grow-[01]|shrink-[01])|(align-items|justify-content|align-self)-(start|center|end|between|stretch|baseline)" +
  "|text-(start|center|end|nowrap|truncate|break|wrap|secondary|muted|danger|warning|success|primary|reset|decoration-none)" +
  "|fw-(normal|medium|bold)|fs-[1-6]|h[1-6]|w-(100|auto)|rounded|overflow-(auto|hidden)|visually-hidden(-focusable)?|position-relative|font-monospace|lh-1|vr";
const COMPONENTS =
  "container-xl|row|row-cards|row-deck|col|col-auto|col-((sm|md|lg|xl)-)?([0-9]+|auto)" +
  "|card(-(body|header|title|subtitle|footer|table|sm|link|tabs|actions))?|table(-(vcenter|nowrap|responsive|hover|sm))?" +
  "|badge|bg-(red|green|yellow|orange|blue|azure|secondary)-lt|status(-(dot|green|red|yellow|blue|orange))?" +
  "|btn(-(primary|danger|outline-danger|outline-secondary|ghost-secondary|link|sm|icon|list|close))?|alert(-(success|danger|warning|info|title|icon|link))?" +
  "|nav|nav-(item|link|tabs|underline|pills)|card-header-tabs|active|disabled|show|dropdown(-(menu|item|divider|header))?" +
  "|form-(label|control|select|check|check-input|check-label|hint|text|fieldset|switch)|input-group|input-group-text|input-icon|input-icon-addon|is-invalid|invalid-feedback|required" +
  "|datagrid(-(item|title|content))?|empty(-(icon|title|subtitle|action|header))?|list-group(-(item|item-action|flush))?" +
  "|progress(-(bar|sm))?|spinner-border|spinner-border-sm|placeholder(-glow)?|avatar(-(sm|md|lg|rounded))?|steps|step-item|breadcrumb(-item)?" +
  "|pagination|page-(item|link|header|title|body|pretitle)|timeline(-(event|event-icon|event-card))?|icon(-(sm|md|lg|inline))?|kbd|markdown|hr-text|stamp|subheader|tab-content|tab-pane";

/** Rules are kept if all their classes match one of these. */
export const KEPT = [new RegExp(`^(${UTILITIES}|${COMPONENTS})$`), /^data-bs-theme$/, /^(html|body|:root|a|p|table|tbody|thead|tr|td|th|dl|dt|dd|code|pre|kbd|h[1-6]|hr|ul|ol|li|dialog|progress|summary|button|input|select|textarea|label|small|strong|img|svg)$/];
export const REMOVED = [/^(carousel|accordion|offcanvas|popover|tooltip|bs-|apexcharts|jvm|noUi|litepicker|ts-|plyr|fslightbox|flag|payment|browser|chip|signature|fc-|tox|dropzone|dz-|sticky-top-|img-thumbnail|ribbon|embed)/];
