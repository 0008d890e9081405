#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a CSV file against FinOps FOCUS 1.2 (focus.finops.org): the columns that must be there, their types, formats,
nullability and allowed values, and the rules between columns that can be seen in a row. And what we promise besides: one
row per hour, account, provider, model and kind of token, no exponents, no credits.

  focus_validate.py FILE…        prints every violation (at most 20 a file); exit code 1 when there is one
  focus_validate.py --self-test  breaks a good file in each way it looks for; exit code 1 when one is not noticed
"""
import csv, datetime, io, re, sys
from decimal import Decimal

# column: (feature level, may be null, type); C: conditional, M: mandatory, R: recommended
STRING, DECIMAL, TIME, JSON = "string", "decimal", "time", "json"
COLUMNS = {
    "AvailabilityZone": ("R", True, STRING), "BilledCost": ("M", False, DECIMAL), "BillingAccountId": ("M", False, STRING),
    "BillingAccountName": ("M", True, STRING), "BillingAccountType": ("C", False, STRING),
    "BillingCurrency": ("M", False, STRING), "BillingPeriodEnd": ("M", False, TIME), "BillingPeriodStart": ("M", False, TIME),
    "CapacityReservationId": ("C", True, STRING), "CapacityReservationStatus": ("C", True, STRING),
    "ChargeCategory": ("M", False, STRING), "ChargeClass": ("M", True, STRING), "ChargeDescription": ("M", True, STRING),
    "ChargeFrequency": ("R", False, STRING), "ChargePeriodEnd": ("M", False, TIME), "ChargePeriodStart": ("M", False, TIME),
    "CommitmentDiscountCategory": ("C", True, STRING), "CommitmentDiscountId": ("C", True, STRING),
    "CommitmentDiscountName": ("C", True, STRING), "CommitmentDiscountQuantity": ("C", True, DECIMAL),
    "CommitmentDiscountStatus": ("C", True, STRING), "CommitmentDiscountType": ("C", True, STRING),
    "CommitmentDiscountUnit": ("C", True, STRING), "ConsumedQuantity": ("C", True, DECIMAL),
    "ConsumedUnit": ("C", True, STRING), "ContractedCost": ("M", False, DECIMAL), "ContractedUnitPrice": ("C", True, DECIMAL),
    "EffectiveCost": ("M", False, DECIMAL), "InvoiceId": ("R", True, STRING), "InvoiceIssuerName": ("M", False, STRING),
    "ListCost": ("M", False, DECIMAL), "ListUnitPrice": ("C", True, DECIMAL), "PricingCategory": ("C", True, STRING),
    "PricingCurrency": ("C", True, STRING), "PricingCurrencyContractedUnitPrice": ("C", True, DECIMAL),
    "PricingCurrencyEffectiveCost": ("C", True, DECIMAL), "PricingCurrencyListUnitPrice": ("C", True, DECIMAL),
    "PricingQuantity": ("M", True, DECIMAL), "PricingUnit": ("M", True, STRING), "ProviderName": ("M", False, STRING),
    "PublisherName": ("M", False, STRING), "RegionId": ("C", True, STRING), "RegionName": ("C", True, STRING),
    "ResourceId": ("C", True, STRING), "ResourceName": ("C", True, STRING), "ResourceType": ("C", True, STRING),
    "ServiceCategory": ("M", False, STRING), "ServiceName": ("M", False, STRING), "ServiceSubcategory": ("R", False, STRING),
    "SkuId": ("C", True, STRING), "SkuMeter": ("C", True, STRING), "SkuPriceDetails": ("C", True, JSON),
    "SkuPriceId": ("C", True, STRING), "SubAccountId": ("C", True, STRING), "SubAccountName": ("C", True, STRING),
    "SubAccountType": ("C", True, STRING), "Tags": ("C", True, JSON),
}
CHOICES = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
        "Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration",
        "Mobile", "Networking", "Security", "Storage", "Web", "Other"},
    # of the one category that a gateway to models has
    "ServiceSubcategory": {
        "AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing",
        "Other (AI and Machine Learning)"},
    "x_CostBasis": {"Metered", "Allocated", "Unmetered"},
}
CUSTOM_DECIMALS = {"x_AvoidedCost", "x_WrittenOffCost"}
KEY = ["ChargePeriodStart", "SubAccountId", "ProviderName", "x_Model", "x_TokenType"]
PASCAL = re.compile(r"(x_)?[A-Z][A-Za-z0-9]{0,49}\Z")
# The specification would allow 35.2E-7; readers that lose digits are the reason why we do not.
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
UNIT = re.compile(r"([0-9]+ )?[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*([-/][A-Z][A-Za-z]*)?\Z")


def stamp(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def check_value(name, value):
    _, may_be_null, kind = COLUMNS.get(name, ("", True, DECIMAL if name in CUSTOM_DECIMALS else STRING))
    if value == "":
        if not may_be_null:
            yield "is null"
        return
    if kind == DECIMAL and not NUMBER.match(value):
        yield f"{value!r} is no plain decimal"
    if kind == TIME:
        try:
            if not STAMP.match(value):
                raise ValueError
            stamp(value)
        except ValueError:
            yield f"{value!r} is no UTC time of the form 2026-11-30T00:00:00Z"
    if name in CHOICES and value not in CHOICES[name]:
        yield f"{value!r} is not an allowed value"
    if kind == STRING and (not value.strip() or value.lower() in ("null", "n/a", "none", "not applicable", "unknown")):
        yield f"{value!r} is a placeholder"
    if name == "BillingCurrency" and not re.match(r"[A-Z]{3}\Z", value):
        yield f"{value!r} is no ISO 4217 code"
    if name in ("ConsumedUnit", "PricingUnit") and not UNIT.match(value):
        yield f"{value!r} is no unit"


def check_row(row):
    """Rules between columns; every value is of its type."""
    get = row.get
    category, is_usage = get("ChargeCategory"), get("ChargeCategory") in ("Usage", "Purchase") and not get("ChargeClass")
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        if (get(quantity) == "") != (get(unit) == ""):
            yield f"one of {quantity} and {unit} is null, the other not"
    for name in ("PricingQuantity", "PricingCategory", "SkuId"):
        if is_usage and get(name) == "":
            yield f"{name} is null in a row of usage"
    if category == "Usage" and not get("ChargeClass") and get("ConsumedQuantity") == "":
        yield "ConsumedQuantity is null in a row of usage"
    if category != "Usage" and get("ConsumedQuantity"):
        yield "ConsumedQuantity without usage"
    if category == "Credit":
        yield "a credit: what the cache saved is no credit"
    if category == "Purchase" and get("ChargeFrequency") == "Usage-Based":
        yield "a purchase that is Usage-Based"
    if not get("SkuId") and get("SkuMeter"):
        yield "SkuMeter without SkuId"
    if bool(get("SubAccountId")) != bool(get("SubAccountName")):
        yield "one of SubAccountId and SubAccountName is null, the other not"
    if get("ServiceSubcategory") and get("ServiceCategory") != "AI and Machine Learning":
        yield "ServiceSubcategory is of another ServiceCategory"
    for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
        if get(price) and Decimal(get(price)) * Decimal(get("PricingQuantity")) != Decimal(get(cost)):
            yield f"{price} times PricingQuantity is not {cost}"
    start, end = stamp(get("ChargePeriodStart")), stamp(get("ChargePeriodEnd"))
    first, last = stamp(get("BillingPeriodStart")), stamp(get("BillingPeriodEnd"))
    if not start < end or not first < last:
        yield "a period ends before it begins"
    if not first <= start < end <= last:
        yield "the charge period is not within the billing period"
    if end - start > datetime.timedelta(hours=1) or start.replace(minute=0, second=0) + datetime.timedelta(hours=1) < end:
        yield "the charge period is not within one hour"
    if first.day != 1 or last.day != 1 or (first + datetime.timedelta(days=32)).replace(day=1) != last:
        yield "the billing period is no month"
    if Decimal(get("BilledCost")) < Decimal(get("x_WrittenOffCost") or 0):
        yield "more was written off than billed"


def check_header(header):
    for name, (level, _, _) in COLUMNS.items():
        if level == "M" and name not in header:
            yield f"the mandatory column {name} is missing"
    is_custom = [name.startswith("x_") for name in header]
    if is_custom != sorted(is_custom):
        yield "a custom column stands before a column of FOCUS"
    for name in header:
        if not PASCAL.match(name):
            yield f"{name!r} is no name of a column"
        if not name.startswith("x_") and name not in COLUMNS:
            yield f"{name} is no column of FOCUS 1.2"
        if header.count(name) > 1:
            yield f"{name} is there twice"


def validate(data):
    """All violations of a file's bytes."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [f"not UTF-8: {error}"]
    if text.startswith("\ufeff") or re.search(r"(?<!\r)\n", text) or not text.endswith("\r\n"):
        return ["rows do not end with CRLF, or the file begins with a byte order mark"]
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        return [f"no CSV: {error}"]
    problems, seen = list(check_header(rows[0])), set()
    for number, cells in enumerate(rows[1:], 2):
        if len(cells) != len(rows[0]):
            problems.append(f"row {number} has {len(cells)} cells instead of {len(rows[0])}")
            continue
        row = dict(zip(rows[0], cells))
        found = [f"{name} {text}" for name, value in row.items() for text in check_value(name, value)]
        found = found or problems and ["unchecked, as columns are wrong"] or list(check_row(row))
        key = tuple(row.get(name) for name in KEY)
        if key in seen:
            found.append(f"a second row of {key}")
        seen.add(key)
        problems += [f"row {number}: {text}" for text in found]
    return problems


# ---- does it notice? ----

GOOD = {
    "BilledCost": "0.000000001", "BillingAccountId": "dev", "BillingAccountName": "Tollgate dev", "BillingCurrency": "USD",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z", "BillingPeriodStart": "2026-11-01T00:00:00Z", "ChargeCategory": "Usage",
    "ChargeClass": "", "ChargeDescription": "Output tokens of m at p", "ChargeFrequency": "Usage-Based",
    "ChargePeriodEnd": "2026-11-30T11:00:00Z", "ChargePeriodStart": "2026-11-30T10:00:00Z", "ConsumedQuantity": "7",
    "ConsumedUnit": "Tokens", "ContractedCost": "0.000000001", "EffectiveCost": "0.000000001", "InvoiceIssuerName": "p",
    "ListCost": "0.000000001", "PricingCategory": "Standard", "PricingQuantity": "7", "PricingUnit": "Tokens",
    "ProviderName": "p", "PublisherName": "p", "ServiceCategory": "AI and Machine Learning", "ServiceName": "p API",
    "ServiceSubcategory": "Generative AI", "SkuId": "p/m/output", "SkuMeter": "Output tokens", "SubAccountId": "w",
    "SubAccountName": "w", "x_AvoidedCost": "0", "x_CostBasis": "Metered", "x_Model": "m", "x_TokenType": "output",
    "x_WrittenOffCost": "0",
}
BROKEN_VALUES = [
    ("BilledCost", ""), ("BilledCost", "1e-9"), ("BilledCost", "+1"), ("BilledCost", "1,000"), ("BilledCost", "$1"),
    ("BilledCost", "'1"), ("ListCost", "x"), ("EffectiveCost", ""), ("BillingCurrency", "usd"), ("BillingCurrency", ""),
    ("BillingPeriodStart", "2026-11-01"), ("BillingPeriodEnd", "2026-11-30T00:00:00Z"), ("ChargeCategory", "usage"),
    ("ChargeCategory", "Credit"), ("ChargeClass", "None"), ("ChargeFrequency", "Hourly"),
    ("ChargePeriodStart", "2026-11-30T10:00:00+00:00"), ("ChargePeriodStart", "2026-11-30T10:00:00.000Z"),
    ("ChargePeriodStart", "2026-13-30T10:00:00Z"), ("ChargePeriodStart", "2026-11-30T11:00:00Z"),
    ("ChargePeriodStart", "2026-11-30T09:00:00Z"), ("ChargePeriodEnd", "2026-12-01T01:00:00Z"),
    ("ConsumedQuantity", ""), ("ConsumedUnit", ""), ("ConsumedUnit", "tokens"), ("PricingQuantity", ""),
    ("PricingUnit", ""), ("PricingCategory", "Free"), ("ProviderName", ""), ("PublisherName", " "),
    ("InvoiceIssuerName", "n/a"), ("ServiceCategory", "AI"), ("ServiceSubcategory", "Chat"), ("ServiceName", ""),
    ("SkuId", ""), ("SubAccountName", ""), ("x_AvoidedCost", "1E3"), ("x_CostBasis", "guess"), ("x_WrittenOffCost", "1"),
]


def write(rows, names=None):
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names or GOOD)
    writer.writerows(rows)
    return out.getvalue().encode()


def self_test():
    good = write([GOOD.values()])
    names = list(GOOD)
    broken = {f"{name}={value!r}": write([{**GOOD, name: value}.values()]) for name, value in BROKEN_VALUES}
    for name in names:
        if COLUMNS.get(name, " ")[0] == "M":
            broken[f"without {name}"] = write([[v for k, v in GOOD.items() if k != name]], [n for n in names if n != name])
    swapped = [names[-1], *names[:-1]]
    broken["a custom column first"] = write([[GOOD[name] for name in swapped]], swapped)
    broken["a column of its own"] = write([[*GOOD.values(), "1"]], ["Colour" if n == "x" else n for n in [*names, "x"]])
    broken["a row twice"] = write([GOOD.values(), GOOD.values()])
    broken["a short row"] = write([list(GOOD.values())[:-1]])
    broken["newlines alone"] = good.replace(b"\r\n", b"\n")
    broken["Latin-1"] = good.replace(b"Tollgate", b"M\xfcller")
    broken["a quote left open"] = good.replace(b"Tollgate dev", b'"Tollgate dev')
    failed = [f"a good file: {validate(good)}"] if validate(good) else []
    failed += [f"not noticed: {what}" for what, data in broken.items() if not validate(data)]
    print("\n".join(failed) or f"focus_validate: notices all {len(broken)} kinds of damage")
    return bool(failed)


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    status = 0
    for name in sys.argv[1:]:
        with open(name, "rb") as file:
            problems = validate(file.read())
        for problem in problems[:20]:
            print(f"{name}: {problem}")
        status |= bool(problems)
    return status


if __name__ == "__main__":
    sys.exit(main())
