// The cashier's screen as one component: it shows the view it is given, and says which key was pressed.
// Every key and every touch is the same: the name of a key. What it means is decided at the till.
const MODIFIER = /^(Shift|Control|Alt)(Left|Right)$/;

export default {
  template: `
<div class="till" :data-drill="view.drill ? 'yes' : 'no'" :data-phase="view.phase" :data-pad="view.pad ? view.pad.kind : 'none'" :style="brand">
  <header>
    <span class="badge" :data-net="view.drill ? 'training' : view.online ? 'online' : 'offline'"><i aria-hidden="true"></i><span>{{ view.badge }}</span></span>
    <img class="logo" v-if="view.logo" :src="view.logo" alt="">
    <span class="place">{{ view.place }}</span>
    <span class="devices">{{ view.devices }}</span>
    <button class="mute" type="button" :aria-pressed="!muted" :aria-label="words.mute" @click="mute"><i aria-hidden="true"></i></button>
    <button class="keys" type="button" @click="help"><kbd aria-hidden="true">F1</kbd><span>{{ words.help }}</span></button>
    <nav class="languages" :aria-label="words.language">
      <a v-for="code in languages" :href="'?lang=' + code" :hreflang="code" :aria-current="code === view.language ? 'true' : null">{{ code.toUpperCase() }}</a>
    </nav>
    <span class="clock">{{ view.clock }}</span>
  </header>
  <section class="left">
    <div class="idle">
      <img class="logo" v-if="view.logo" :src="view.logo" alt="">
      <div class="mark" v-else v-html="mark"></div>
      <h1>{{ view.shop }}</h1>
      <p class="hint">{{ view.hint }}</p>
      <p class="allowed">{{ view.allowed }}</p>
      <p class="last">{{ view.last }}</p>
      <div class="practice" v-if="view.drill && view.phase === 'idle'" role="group" :aria-label="view.badge">
        <button v-for="[key, what, card] in view.drill.cards" type="button" :data-key="key" @click="press(key)">
          <kbd aria-hidden="true">{{ key }}</kbd><span>{{ what }}</span><span class="card">{{ card }}</span>
        </button>
      </div>
      <div class="ways">
        <button type="button" data-key="F10" @click="press('F10')"><kbd aria-hidden="true">F10</kbd><span>{{ words.number }}</span></button>
        <button type="button" data-key="F11" @click="press('F11')"><kbd aria-hidden="true">F11</kbd><span>{{ words.return }}</span></button>
      </div>
    </div>
    <div class="member">
      <div class="who"><span class="first-name">{{ view.name }}</span><span class="tier">{{ view.tier }}</span></div>
      <div class="points"><span class="balance">{{ view.balance }}</span><span class="unit">{{ view.unit }}</span></div>
      <p class="as-of">{{ view.as_of }}</p>
      <p class="expiring">{{ view.expiring }}</p>
      <div class="rewards" role="group" :aria-label="words.rewards" :data-many="view.rows.length > 4 ? 'yes' : 'no'">
        <button v-for="row in view.rows" class="reward" type="button" :data-key="row.key" :data-state="row.state"
                :aria-disabled="row.state === 'off'" :aria-pressed="row.state === 'chosen'" @click="press(row.key)">
          <kbd aria-hidden="true">{{ row.key }}</kbd>
          <span class="what"><span class="name"><b v-if="row.tag" class="tag">{{ row.tag }}</b>{{ row.name }}</span><span class="note">{{ row.note }}</span></span>
          <span v-if="row.stamps" class="stamps" aria-hidden="true" :style="{ '--wide': row.stamps[1] > 6 ? Math.ceil(row.stamps[1] / 2) : row.stamps[1] }"><u v-for="n in row.stamps[1]" :data-got="n <= row.stamps[0] ? 'yes' : 'no'"></u></span>
          <i aria-hidden="true"></i>
          <span class="cost">{{ row.cost }}</span>
        </button>
      </div>
      <p class="more">{{ view.more }}</p>
      <div class="question" v-if="view.question">
        <p id="question">{{ view.question }}</p>
        <div class="scores" role="group" aria-labelledby="question">
          <button v-for="score in 11" type="button" @click="$emit('answer', score - 1)">{{ score - 1 }}</button>
        </div>
        <p class="ends"><span>{{ words.least }}</span><span>{{ words.most }}</span></p>
      </div>
    </div>
    <div class="message" :data-mood="view.message ? view.message.mood : 'none'">
      <i aria-hidden="true"></i>
      <span class="text">{{ view.message ? view.message.text : "" }}</span>
      <button v-if="view.offer" class="offer" type="button" :data-key="view.offer.key" @click="press(view.offer.key)">
        <kbd aria-hidden="true">{{ view.offer.shown }}</kbd><span>{{ view.offer.text }}</span>
      </button>
    </div>
    <p class="announce" role="status" aria-live="polite">{{ view.announce }}</p>
  </section>
  <section class="right">
    <div class="pad" v-if="view.pad">
      <h2>{{ view.pad.title }}</h2>
      <output v-if="view.pad.digits">{{ view.pad.typed }}</output>
      <p v-else>{{ view.pad.text }}</p>
      <div class="digits" v-if="view.pad.digits">
        <button v-for="digit in ['1', '2', '3', '4', '5', '6', '7', '8', '9']" type="button" @click="press(digit)">{{ digit }}</button>
        <div></div>
        <button type="button" @click="press('0')">0</button>
        <button type="button" :aria-label="words.erase" @click="press('Backspace')">⌫</button>
      </div>
    </div>
    <div class="row heading"><span>{{ view.heading }}</span><span class="amount">{{ view.total }}</span></div>
    <ol class="lines">
      <li v-for="row in view.lines" :data-kind="row.kind"><span>{{ row.text }}</span><span class="amount">{{ row.amount }}</span></li>
    </ol>
    <div class="sums" v-show="view.to_pay">
      <div class="row" v-show="view.earns"><span>{{ words.saves }}</span><span class="detail">{{ view.earns_detail }}</span><span class="amount">{{ view.earns }}</span></div>
      <div class="row" v-show="view.spends"><span>{{ words.redeems }}</span><span class="amount">{{ view.spends }}</span></div>
      <div class="row pay"><span>{{ view.to_pay_label }}</span><span class="amount">{{ view.to_pay }}</span></div>
    </div>
    <button class="action" type="button" data-key="F12" :data-state="view.action.state" :aria-disabled="view.action.state !== 'ready'"
            @click="press('F12')">
      <i aria-hidden="true"></i><kbd aria-hidden="true">F12</kbd><span>{{ view.action.text }}</span>
    </button>
  </section>
  <dialog class="help" ref="help" :aria-label="words.help" @click="help">
    <h2>{{ words.keys }}</h2>
    <dl><template v-for="[key, text] in keys"><dt><kbd>{{ key }}</kbd></dt><dd>{{ text }}</dd></template></dl>
    <p>{{ words.any_time }}</p>
    <button type="button" autofocus>{{ words.close }}</button>
  </dialog>
</div>`,
  props: { first: Object, words: Object, keys: Array, languages: Array, mark: String },
  emits: ["press", "typed", "answer"],
  data() {
    // Each window for itself: a till may have a second screen without a loudspeaker.
    return { view: Object.freeze({ ...this.first }), muted: localStorage.getItem("spaarpunt.muted") === "yes" };
  },
  computed: {
    brand() {
      return this.view.brand ? { "--brand": this.view.brand.colour, "--on-brand": this.view.brand.on_colour } : {};
    },
  },
  created() {
    // Whether the focus was moved by Tab: one that a finger left behind must not catch the Enter that means "finish".
    this.byKeyboard = false;
    this.audio = null;
    // What a reader may be typing: the keys that followed each other quickly, and when the last one came.
    this.keysTyped = [];
    this.keyAt = 0;
  },
  mounted() {
    document.documentElement.lang = this.view.language;
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("keyup", this.onKeyUp, true);
    document.addEventListener("pointerdown", this.onTouch, true);
  },
  unmounted() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("keyup", this.onKeyUp, true);
    document.removeEventListener("pointerdown", this.onTouch, true);
  },
  methods: {
    show(view, tone) {
      // Frozen, so that Vue compares the texts and watches none of them.
      this.view = Object.freeze(view);
      if (tone !== null) this.tone(tone);
    },
    press(key) {
      this.$emit("press", key);
    },
    help() {
      const help = this.$refs.help;
      if (help.open) help.close();
      else help.showModal();
    },
    mute() {
      this.muted = !this.muted;
      localStorage.setItem("spaarpunt.muted", this.muted ? "yes" : "no");
    },
    onTouch() {
      this.byKeyboard = false;
      this.allowSound();
    },
    // A reader's keys come within 100 ms of each other and end in Enter; a hand is slower. Returns whether one has ended.
    // Keys and not characters: what they mean is the reader's layout, which the till knows, and not this computer's.
    readerTyped(event) {
      if (event.timeStamp - this.keyAt > 100 || this.keysTyped.length > 6500) this.keysTyped = [];
      this.keyAt = event.timeStamp;
      if (event.repeat) return false;
      const goesOn = this.keysTyped.some(([code]) => !MODIFIER.test(code));
      // A reader begins with a character, or with the shift of one.
      if (!goesOn && event.key.length !== 1 && event.key !== "Dead" && !MODIFIER.test(event.code)) return false;
      this.keysTyped.push([event.code, 1]);
      // Within a scan a space presses no button, a tab moves no focus, and a slash opens no search.
      if (goesOn && !event.target.matches("input, textarea")) event.preventDefault();
      if (event.key !== "Enter") return false;
      const keys = this.keysTyped;
      this.keysTyped = [];
      this.$emit("typed", keys);
      return true;
    },
    onKeyUp(event) {
      if (this.keysTyped.length && MODIFIER.test(event.code)) this.keysTyped.push([event.code, 0]);
    },
    onKey(event) {
      this.allowSound();
      if (this.readerTyped(event)) return;
      if (event.key === "Tab") this.byKeyboard = true;
      if (event.key === "F1") {
        event.preventDefault();
        this.help();
        return;
      }
      if (event.altKey && event.code === "KeyM") {
        event.preventDefault();
        this.mute();
        return;
      }
      const control = event.ctrlKey && /^[zp]$/i.test(event.key) ? `Ctrl+${event.key.toUpperCase()}` : null;
      if (this.$refs.help.open || event.repeat || event.altKey || event.metaKey || (event.ctrlKey && !control)) return;
      if (event.key === "Enter" && this.byKeyboard && document.activeElement?.matches("a, button")) return;
      const key = control ?? (event.key === "Enter" ? "F12" : event.key);
      if (this.view.pad?.digits && !event.ctrlKey && /^([0-9A-Za-z]|Backspace)$/.test(key)) {
        event.preventDefault();
        this.press(key === "Backspace" ? key : key.toUpperCase());
        return;
      }
      // The browser's own F keys (find, reload, developer tools) have no business on a till.
      if (!/^(F\d+|Escape|Ctrl\+[ZP])$/.test(key)) return;
      event.preventDefault();
      const button = this.$el.querySelector(`[data-key="${key}"]`);
      if (/^(Escape|F10|F11|Ctrl\+P)$/.test(key) || (button !== null && button.offsetParent !== null)) this.press(key);
    },
    allowSound() {
      // Browsers let a page sound only after the first key or touch; until then the tones are silent.
      this.audio ??= new AudioContext();
      this.audio.resume();
    },
    tone(kind) {
      if (this.muted || this.audio?.state !== "running") return;
      if (kind === "high") this.beep(1320, 0, 0.09);
      else [0, 0.16].forEach((from) => this.beep(260, from, 0.12));
    },
    beep(hertz, from, seconds) {
      const oscillator = this.audio.createOscillator();
      const volume = this.audio.createGain();
      const start = this.audio.currentTime + from;
      oscillator.frequency.value = hertz;
      volume.gain.setValueAtTime(0.2, start);
      volume.gain.linearRampToValueAtTime(0, start + seconds);
      oscillator.connect(volume).connect(this.audio.destination);
      oscillator.start(start);
      oscillator.stop(start + seconds);
    },
  },
};
