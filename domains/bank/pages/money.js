// Amounts are integers in a currency's minor units; people read and write them with a point.

// "XXX" is "no currency" (ISO 4217), as the sample data has it: written with two places, no name.
const digitsOf = (currency) => {
  if (currency === "XXX") return 2;
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency })
      .resolvedOptions().maximumFractionDigits;
  } catch {
    return 2; // not shaped like a currency's code
  }
};

export const money = (amount, currency, sign = 'auto') => {
  const digits = digitsOf(currency);
  const text = new Intl.NumberFormat('en', {
    minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: sign,
  }).format(amount / 10 ** digits);
  return currency === "XXX" ? text : `${text} ${currency}`;
};

// "12.50" in minor units, without a detour through fractions that binary cannot hold; null when it
// is no such amount.
export const minorUnits = (text, currency) => {
  const digits = digitsOf(currency);
  const match = /^(\d{1,13})(?:\.(\d+))?$/.exec(text.trim().replaceAll(',', ''));
  if (!match || (match[2] ?? '').length > digits) return null;
  return Number(match[1] + (match[2] ?? '').padEnd(digits, '0'));
};

export const when = (time) =>
  new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
