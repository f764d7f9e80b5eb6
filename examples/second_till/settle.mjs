// How a sale and a return are settled: docs/entries.md in JavaScript, for programmes of rules by amount, multipliers by
// tier and amounts off. Anything else is refused, never guessed: a till that settles otherwise has its sales parked.

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

export class Unsupported extends Error {}

/** total / over, rounded down; or at exactly one half away from zero. */
export function divide(total, over, rounding = "floor") {
  if (rounding === "floor") return Math.floor(total / over);
  return Math.sign(total) * Math.floor((2 * Math.abs(total) + over) / (2 * over));
}

/** Whole shares by largest remainder, the earlier one first where two are equal. */
export function split(total, weights) {
  const whole = sum(weights);
  if (total === 0) return weights.map(() => 0);
  const shares = weights.map((weight) => Math.floor((total * weight) / whole));
  const rest = weights.map((weight, place) => total * weight - shares[place] * whole);
  const order = [...weights.keys()].sort((one, other) => rest[other] - rest[one] || one - other);
  for (const place of order.slice(0, total - sum(shares))) shares[place] += 1;
  return shares;
}

const saysNothing = (value) => value == null || value === false || value === 0 || value.length === 0;
const CONDITIONS = ["categories", "skus", "excluded_categories", "excluded_skus", "valid_from", "valid_until", "weekdays", "hours",
  "segments", "minimum_basket_minor", "birthday", "first_purchase", "bonus", "cap_points"];

/** Refuse a part of a programme that asks for something this till does not know. */
function expectPlain(part, kind) {
  if (part.kind !== kind) throw new Unsupported(`${part.id}: a ${part.kind}`);
  for (const name of CONDITIONS) if (!saysNothing(part[name])) throw new Unsupported(`${part.id}: ${name}`);
}

function redeem(programme, lines, left, wanted) {
  return wanted.map((id) => {
    const reward = programme.rewards.find((one) => one.id === id);
    expectPlain(reward, "amount_off");
    const room = lines.map((line, place) => (line.eligible ? Math.max(0, left[place]) : 0));
    const off = reward.discount_minor;
    if (Math.min(sum(room), sum(left)) < off) throw new Error(`${id}: the basket is worth less`);
    const shares = split(off, room);
    shares.forEach((share, place) => (left[place] -= share));
    return { reward: id, points: reward.cost_points, discount_minor: off, lines: lines
      .map((line, place) => ({ line_id: line.line_id, discount_minor: shares[place] })).filter((line) => line.discount_minor) };
  });
}

/** The settlement of a sale: basket as in an entry, rewards as ids in the order they were taken. */
export function settle(programme, basket, tier, rewards = []) {
  const { lines } = basket;
  for (const name of ["stamp_cards", "challenges", "badges", "excluded_categories", "excluded_skus"])
    if (!saysNothing(programme[name])) throw new Unsupported(name);
  if (Object.values(programme.caps ?? {}).some((cap) => cap !== null)) throw new Unsupported("caps");
  const left = lines.map((line) => line.gross_minor);
  const redemptions = redeem(programme, lines, left, rewards);
  const weights = left.map((minor, place) => (lines[place].eligible ? minor : 0));
  const onLines = lines.map(() => 0), components = [], total = sum(weights);
  const give = (rule, kind, base, points, over) => {
    components.push({ rule, kind, base, points });
    split(points, over).forEach((share, place) => (onLines[place] += share));
  };
  if (total > 0) {
    for (const rule of programme.earn.filter((one) => one.kind !== "multiplier")) {
      expectPlain(rule, "per_amount");
      if (!saysNothing(rule.tiers)) throw new Unsupported(`${rule.id}: tiers`);
      give(rule.id, "base", total, divide(total * rule.points, rule.per_minor, rule.rounding), weights);
    }
    const base = sum(components.map((part) => part.points)), baseLines = [...onLines];
    for (const rule of programme.earn.filter((one) => one.kind === "multiplier")) {
      expectPlain(rule, "multiplier");
      if ((rule.stacking ?? "add") !== "add") throw new Unsupported(`${rule.id}: stacking`);
      if (base > 0 && (saysNothing(rule.tiers) || rule.tiers.includes(tier)))
        give(rule.id, "bonus", base, divide(base * rule.percent, 100, rule.rounding), baseLines);
    }
  }
  const points = sum(components.map((part) => part.points));
  return { redemptions, accrual: { points, components,
    lines: lines.map((line, place) => ({ line_id: line.line_id, points: onLines[place] })) },
  points_earned: points, points_spent: sum(redemptions.map((one) => one.points)), payable_minor: sum(left) };
}

/** Basket and settlement of a return; before and back are thousandths by line id. */
export function takeBack(sale, before, back) {
  const of = (list, name) => (id) => sum(list.filter((one) => one.line_id === id).map((one) => one[name]));
  const { redemptions, accrual } = sale.settlement;
  const earned = of(accrual.lines, "points"), off = of(redemptions.flatMap((one) => one.lines), "discount_minor");
  const spent = of(redemptions.flatMap((one) => split(one.points, one.lines.map((line) => line.discount_minor))
    .map((points, place) => ({ line_id: one.lines[place].line_id, points }))), "points");
  const lines = [], points = [];
  let restored = 0;
  for (const line of sale.basket.lines.filter((one) => one.line_id in back)) {
    const id = line.line_id, first = before[id] ?? 0, last = first + back[id];
    const step = (value) => divide(value * last, line.quantity) - divide(value * first, line.quantity);
    lines.push({ ...line, quantity: -back[id], gross_minor: -step(line.gross_minor - off(id)) });
    points.push({ line_id: id, points: -step(earned(id)) || 0 });
    restored += step(spent(id));
  }
  const paid = sum(lines.map((line) => line.gross_minor)), total = sum(points.map((one) => one.points));
  return { basket: { currency: sale.basket.currency, lines }, settlement: { redemptions: [],
    accrual: { points: total, components: [{ rule: "return", kind: "base", base: paid, points: total }], lines: points },
    points_earned: total, points_spent: -restored || 0, payable_minor: paid } };
}
