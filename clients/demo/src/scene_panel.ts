/** The scenes: a button for each, its steps, and its result. */

import { button, fill, h } from "./dom";
import { language, texts } from "./language";
import { SCENES } from "./scenes/index";
import type { Scene, Stage } from "./scenes/scene";
import { Play } from "./scenes/scene";

/** Shows the scenes and plays one of them. */
export class ScenePanel {
  readonly element = h("section", { class: "scenes" });
  private play: Play | null = null;

  constructor(private stage: Stage) {
    this.show();
  }

  private show(): void {
    const entries = SCENES.map((scene) => this.entry(scene));
    fill(this.element, h("h2", {}, texts().scenes), h("ul", {}, ...entries));
    this.scrollToPlay();
  }

  /** Scroll the list, but not the page, so that the result of the scene is visible. */
  private scrollToPlay(): void {
    const end = this.element.querySelector(".play")?.getBoundingClientRect().bottom || 0;
    this.element.scrollTop += Math.max(0, end - this.element.getBoundingClientRect().bottom + 16);
  }

  private entry(scene: Scene): HTMLElement {
    const isChosen = this.play?.scene === scene;
    const { title, about } = scene[language()];
    const choose = () => this.choose(isChosen ? null : scene);
    return h(
      "li",
      { class: isChosen ? "chosen" : "", id: `scene-${scene.id}` },
      h(
        "button",
        { type: "button", class: "scene", onclick: choose, "aria-expanded": String(isChosen) },
        h("b", {}, title),
        h("span", {}, about),
      ),
      isChosen && this.play ? this.details(this.play) : null,
    );
  }

  private choose(scene: Scene | null): void {
    if (this.play?.isRunning) return;
    this.play = scene && new Play(scene, this.stage, () => this.show());
    this.show();
  }

  private details(play: Play): HTMLElement {
    const words = texts();
    const { steps, checks } = play.scene[language()];
    const items = steps.map((text, index) => h("li", { class: play.stateOf(index) }, text));
    const results = checks.map((text, index) => h("li", { class: play.results[index] ? "good" : "bad" }, text));
    const again = () => this.choose(play.scene);
    return h(
      "div",
      { class: "play", "data-state": play.state },
      h("ol", { class: "steps" }, ...items),
      play.error && h("p", { class: "error" }, play.error),
      play.state === "done" &&
        h(
          "div",
          { class: `result ${play.hasPassed ? "good" : "bad"}` },
          h("b", {}, play.hasPassed ? words.passed : words.failed),
          h("ul", {}, ...results),
        ),
      h(
        "p",
        { class: "controls" },
        play.state === "done"
          ? button(words.again, again, "plain")
          : button(words.play, () => void play.all(), "primary", play.isRunning),
        play.state !== "done" && button(words.next, () => void play.next(), "plain", play.isRunning),
      ),
    );
  }
}
