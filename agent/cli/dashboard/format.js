// SPDX-License-Identifier: Apache-2.0
// Figures as people read them. Money is whole nano-dollars (BigInt): never a float, never rounded.

export const NANO = 1000000000n;

export function parseMoney(text) {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(String(text ?? "0"));
  if (!match) return null;
  const nano = BigInt(match[2]) * NANO + BigInt((match[3] ?? "").padEnd(9, "0"));
  return match[1] ? -nano : nano;
}

const group = digits => digits.replace(/\B(?=(\d{3})+$)/g, ",");

// ["$1,234.56", "789"]: the second part is what lies below a cent.
export function splitMoney(nano) {
  const sign = nano < 0n ? "\u2212" : "", amount = nano < 0n ? -nano : nano;
  const digits = (amount % NANO).toString().padStart(9, "0").replace(/0{1,7}$/, "");
  return [`${sign}$${group((amount / NANO).toString())}.${digits.slice(0, 2)}`, digits.slice(2)];
}

export const moneyText = nano => splitMoney(nano).join("");
// For axes, where the steps are round.
export const moneyShort = nano => moneyText(nano).replace(/\.00$/, "");
export const countText = count => group(String(count).replace("-", "\u2212"));

export function bytesText(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0, size = bytes;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${unit ? size.toFixed(1) : size} ${units[unit]}`;
}

export function timeSpanText(microseconds) {
  if (!Number.isFinite(microseconds)) return "–";
  if (microseconds < 1000) return `${microseconds} µs`;
  if (microseconds < 1e6) return `${(microseconds / 1000).toFixed(microseconds < 1e5 ? 1 : 0)} ms`;
  return `${(microseconds / 1e6).toFixed(1)} s`;
}

// Tenths of a percent from exact numbers; null: of nothing.
export function share(part, whole) {
  const [a, b] = [BigInt(part), BigInt(whole)];
  return b === 0n ? null : Number((a * 2000n + b) / (2n * b)) / 10;
}
export const shareText = (part, whole) => (share(part, whole) === null ? "–" : `${share(part, whole).toFixed(1)} %`);

// "+12 %" of two exact numbers.
export function changeText(now, before) {
  if (now === before) return "same";
  if (before === 0n) return "new";
  const percent = ((now - before) * 100n) / (before < 0n ? -before : before);
  return `${now > before ? "+" : "\u2212"}${group((percent < 0n ? -percent : percent).toString())} %`;
}

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const formats = {
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  moment: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  full: { weekday: "short", day: "numeric", month: "short" },
  dated: { day: "numeric", month: "short", year: "numeric" },
  hour: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { day: "numeric", month: "short" },
  month: { month: "short", year: "numeric" },
};
const writers = Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, new Intl.DateTimeFormat("en-GB", format)]));
export function when(time, format) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  return writers[format === "full" && date.getFullYear() !== new Date().getFullYear() ? "dated" : format].format(date);
}

export const programName = path => path.replace(/\/+$/, "").split("/").pop() || path;
