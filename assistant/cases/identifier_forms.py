"""The forms of identifiers that are known by themselves, such as dates, telephones and ids."""

from __future__ import annotations

import re

NAME, DATE, TIME, PHONE = "[name]", "[date]", "[time]", "[phone]"
IDENTIFIER, ADDRESS, PLACE, AGE = "[number]", "[address]", "[place]", "[age]"

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?:(?:19|20)\d\d|['\u2019]\d\d)"
_CLOCK = r"(?:[01]?\d|2[0-4])(?::[0-5]\d){1,2}(?:\.\d{1,6})?"
_HALF = (
    r"(?:\s?(?:[apAP][mM]\b|[apAP]\.[mM]\b(?:\.(?!\s+[A-Z]|\s*\Z))?|[hH]rs?\b|[hH]ours?\b|"
    r"[A-Z]{1,3}[SD]T\b|Z\b|UTC\b|GMT\b))"
)
_AT_TIME = (
    r"(?:(?:T|,?\s(?:at\s|@\s?)?|\s?@\s?|\s?-\s?)"
    rf"(?:{_CLOCK}{_HALF}?|[0-2]\d[0-5]\d\s?h(?:ou)?rs?\b))?"
)
_UNIT = r"(?!\s?(?:mm|cm|ml|cc|mg|kg|g\b|%|x\d|lb|fr\b|french|degrees?|years?|yo\b|y/o))"
_SEPARATED = r"\s{0,3}(?:no\b\.?|num(?:ber)?\b|nr\b\.?|id\b)?\s{0,3}[:#=.-]{0,3}\s{0,3}"

# (pattern, flags, placeholder), applied in this order.
_RULES: tuple[tuple[str, int, str], ...] = (
    # Addresses of the net.
    (r"\b[\w.+'\u2019-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}", 0, "[e-mail]"),
    (r"\b(?:https?://|ftp://|www\.)[^\s<>\"')\]]{2,500}", re.I, "[url]"),
    (
        r"\b[a-z\d-]{2,63}(?:\.[a-z\d-]{2,63}){0,3}\.(?:com|org|net|edu|gov|nhs\.uk|"
        r"ac\.uk|co\.uk)\b"
        r"(?:/[^\s<>\"')\]]{0,300})?",
        0,
        "[url]",
    ),
    # Numbers that are ids by their form.
    (r"\b[0-2](?:\.\d{1,40}){4,40}(?!\d)", 0, IDENTIFIER),  # a UID of DICOM
    (r"\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b", re.I, IDENTIFIER),
    (r"\b\d{3}([- ])\d{2}\1\d{4}\b", 0, IDENTIFIER),  # of social security
    # Dates, with their times.
    (
        rf"\b(?:19|20)\d\d[-/ ]{_MONTH}[-/ ](?:0?[1-9]|[12]\d|3[01])(?!\d){_AT_TIME}",
        re.I,
        DATE,
    ),
    (
        rf"\b(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|"
        rf"3[01])(?!\d){_AT_TIME}",
        0,
        DATE,
    ),
    (rf"\b(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d){_AT_TIME}", 0, DATE),
    (
        rf"\b(?:0?[1-9]|[12]\d|3[01])([-/])(?:0?[1-9]|[12]\d|3[01])\1(?:(?:19|20)\d\d|"
        rf"\d\d)(?![\d/]){_AT_TIME}",
        0,
        DATE,
    ),
    (
        rf"\b(?:0?[1-9]|[12]\d|3[01])(\s?\.\s?)(?:0?[1-9]|1[0-2])\1(?:19|"
        rf"20)\d\d(?!\d){_AT_TIME}",
        0,
        DATE,
    ),
    (
        rf"(?<![\d.])(?:0?[1-9]|1[0-2])\.(?:0?[1-9]|[12]\d|3[01])\.(?:19|"
        rf"20)\d\d(?!\.?\d){_AT_TIME}",
        0,
        DATE,
    ),
    (
        rf"(?<![\d.])(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.\d\d(?!\.?\d)(?!\s?(?:mm"
        rf"|cm)){_AT_TIME}",
        0,
        DATE,
    ),
    (rf"\b(?:0?[1-9]|1[0-2])[-/](?:19|20)\d\d(?![\d/-]){_AT_TIME}", 0, DATE),
    (
        rf"\b{_MONTH}\.?,?[\s-]{{0,2}}{_DAY}(?:,\s?|\s|-|\sof\s){_YEAR}(?!\d){_AT_TIME}",
        re.I,
        DATE,
    ),
    (
        rf"\b{_DAY}(?:\s(?:day\s)?of\s|[\s-]|,\s)?{_MONTH}(?![a-z])\.?(?:,?[\s-]?{_YEAR}|"
        rf"-\d\d)(?!\d){_AT_TIME}",
        re.I,
        DATE,
    ),
    (rf"\b{_MONTH}\.?(?:\sof\s|,?\s|-)(?:19|20)\d\d(?!\d)", re.I, DATE),
    (
        rf"\b{_DAY}(?:\s(?:day\s)?of\s|[\s-])(?-i:(?!may\b|mar\b|march\b)){_MONTH}\b(?!\w)",
        re.I,
        DATE,
    ),
    (
        rf"\b(?-i:(?!may\b|mar\b|march\b)){_MONTH}\.?[\s-]{_DAY}\b(?![\d./-]){_UNIT}"
        rf"{_AT_TIME}",
        re.I,
        DATE,
    ),
    (
        r"\b((?:compared\s(?:to|with)|on|of|from|date|exam|film|films|since|dated|study|prior|and|"
        r"radiographs?)\s)(?:0?[1-9]|1[0-2])/"
        rf"(?:0?[1-9]|[12]\d|3[01])(?![\d/])(?!\s(?:of|views?)){_AT_TIME}",
        re.I,
        rf"\1{DATE}",
    ),
    (r"\b((?:DOB|born(?:\sin)?|of\sbirth)\s?:?\s?)(?:19|20)\d\d\b", re.I, rf"\1{DATE}"),
    (rf"\b{_CLOCK}{_HALF}", re.I, TIME),
    (rf"(?<=\bat\s){_CLOCK}(?![\d:])", re.I, TIME),
    (r"\b[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,6})?\b", 0, TIME),
    (rf"(?<=\bat\s)[0-2]\d[0-5]\d\b(?:\s?(?:hrs?|hours?|h)\b)?{_UNIT}", re.I, TIME),
    # Telephones.
    (
        r"\b((?:tele)?phone|tel|fax|facsimile|pager?|beeper|bleep|cell|mobile|ext|extension|call|"
        r"call\sback|callback|contact|dial|reach(?:ed)?)\b"
        r"(?P<gap>\.?\s{0,3}(?:no\b\.?|number\b|at\b|on\b|is\b|#)?\s{0,2}[:.#]{0,2}\s{0,3})"
        rf"\(?\+?\d(?:[\d()]|[ ./-](?=[\d(])){{1,20}}\d{_UNIT}(?!\.?\d)"
        r"(?:\s?(?:ext|x|extension)\.?\s?\d{1,6})?",
        re.I,
        rf"\1\g<gap>{PHONE}",
    ),
    (
        r"(?<![\w.])(?:\+?1[ .-]?)?\(?\d{3}\)?[ .-]?\s?\d{3}[ .-]\d{4}\b(?!\.\d)"
        r"(?:\s?,?\s?(?:ext|x|extension)\.?\s?\d{1,6})?",
        re.I,
        PHONE,
    ),
    (r"(?<![\w.])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?!\d)", 0, PHONE),
    (r"(?<![\w.-])0\d{2,5}[ -]\d{3,4}(?:[ -]?\d{3,4})?\b(?![.-]\d)", 0, PHONE),
    (rf"(?<![\w./-])[2-9]\d\d-\d{{4}}\b(?![./-]\d){_UNIT}", 0, PHONE),
    (r"(?<=[\s,(])x\s?\d{4,5}\b", 0, PHONE),
    # Numbers by what is before them.
    (
        r"\b((?:MRN|MR\s?#|medical\srecord|hosp(?:ital)?\.?\s(?:no\b\.?|number)|patient\s(?:id|"
        r"no\b\.?|number|#)|"
        r"pt\s?(?:id|#)|chart\s(?:no\b\.?|number|#)|accession|acc\s?(?:#|no\b\.?|:)|"
        r"account|acct|NHS|CHI|"
        r"UHID|URN?|FIN|SSN|social\ssecurity|member\s(?:id|no\b\.?)|policy|licen[cs]e|DEA|NPI|"
        rf"requisition|encounter|specimen|ID)(?!\w))({_SEPARATED})"
        r"(?=[A-Z]{0,6}[-/]?\d)(?:[A-Z\d](?:[/-](?=[A-Z\d])|\s(?=\d{3,4}\b))?){2,30}\b",
        re.I,
        rf"\1\2{IDENTIFIER}",
    ),
    (
        r"\b((?:case|study|exam(?:ination)?|order|visit|record|report|file|job|request|reference|"
        r"ref|document|serial)\s?(?:no\b\.?|number|#|id\b|:)\s{0,2}[:#.]{0,2}\s{0,2})"
        r"(?=[A-Z]{0,6}[-/]?\d)(?:[A-Z\d][/-]?){3,30}\b",
        re.I,
        rf"\1{IDENTIFIER}",
    ),
    (rf"(?<![\w.,/])(?:[A-Z]{{1,5}}-?)?\d{{6,20}}(?:-\d{{1,6}})?\b(?!\.\d){_UNIT}", 0, IDENTIFIER),
    (r"(?<![\w.,/])[A-Z]{1,4}-?\d{5,6}(?:-\d{1,6})?\b", 0, IDENTIFIER),
    (r"(?<![\w.,/])\d{2,4}-[A-Z]{0,3}-?\d{5,9}\b", 0, IDENTIFIER),
    # Places.
    (r"\bP\.?\s?O\.?\s?Box\s\d{1,7}", re.I, ADDRESS),
    (
        r"\b\d{1,5}[A-Z]?\s(?:[NSEW]\.?\s)?(?:[A-Z][\w'\u2019-]{1,24}\s){1,3}"
        r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|"
        r"Square|Sq|Terrace|Highway|Hwy|Parkway|Pkwy|Close|Crescent|Circle|"
        r"STREET|AVENUE|AVE|ROAD|LANE|DRIVE|BOULEVARD|BLVD|PARKWAY)\b\.?"
        r"(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|#)\.?\s?\w{1,6})?"
        r"(?:,\s(?:[A-Z][a-z'\u2019-]{1,24}\s?){1,3})?(?:,\s?[A-Z]{2}\b)?(?:\s\d{5}(?:-\d{4})?\b)?"
        r"(?:,?\s?[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b)?",
        0,
        ADDRESS,
    ),
    (
        r"(?:\b[A-Z][a-z'\u2019-]{1,24}\s?){1,3},\s(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|"
        r"K[SY]|LA|M[ADEINOST]|"
        r"N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])\s\d{5}(?:-\d{4})?\b",
        0,
        ADDRESS,
    ),
    # Great ages.
    (
        r"\b(?:9\d|1[0-2]\d)(?=(?:\s|-)?(?:years?|yrs?|y)(?:\s|-)?(?:old|o\b|/o)|"
        r"\s?y/?o\b|\s?y\.\s?o\.|\s?-?\s?years?\b)",
        re.I,
        AGE,
    ),
    (r"\b(aged?\s?:?\s?)(?:9\d|1[0-2]\d)\b", re.I, rf"\1{AGE}"),
    (r"\b(?:9\d|1[0-2]\d)(?=\s?[MF]\b(?!/))", 0, AGE),
    (
        r"\b(?:ninety|one[\s-]hundred)(?:[\s-](?:one|two|three|four|five|six|seven|eight|"
        r"nine))?(?=[\s-]years?)",
        re.I,
        AGE,
    ),
    # Names by their form.
    (r"\b[^\W\d_][\w'\u2019-]{0,40}(?:\^[\w'\u2019-]{0,40}){1,4}", 0, NAME),
)
FORMS = tuple((re.compile(pattern, flags), word) for pattern, flags, word in _RULES)
