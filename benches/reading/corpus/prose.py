"""Sentences, names and figures of a company that does not exist, in English and Russian. The same seed gives the same text."""
import random

ENGLISH = {
    "sentences": [
        "The pump in {place} was serviced on {date} and ran {integer} hours without a fault.",
        "{person} signed the contract with {company} for {money} and a term of {small} months.",
        "Please return the completed form to {person} before {date}; late forms are refused.",
        "A pressure of {decimal} bar is normal, anything above {decimal} bar opens the relief valve.",
        "Deliveries to {place} take {small} working days and cost {money} per pallet.",
        "Since {year} the share of recycled material has grown from {percent} to {percent}.",
        "If the lamp stays dark, check fuse {code} first and call extension {integer} afterwards.",
        "Every employee may carry over at most {small} days of leave into the next year.",
        "The warranty covers parts and labour for {small} years, but not wear of the seals.",
        "Of {integer} customers who answered, {percent} would order again from {company}.",
        "Backups are kept for {integer} days on two sites, one of which is {place}.",
        "Invoice {code} over {money} is due within {small} days of receipt.",
        "The measured temperature of {decimal} degrees was within the permitted range.",
        "{person} replaces {person} as head of the laboratory in {place}.",
        "Order number {code} replaces the earlier order, which has been withdrawn.",
        "Insurance pays for damage above {money} when it is reported on the same day.",
        "The new warehouse offers {integer} square metres, {percent} more than the old one.",
        "Before the cover is opened, the main switch must be locked and tagged.",
        "Travel expenses are refunded with the salary of the following month.",
        "Noise at the fence of {place} must not exceed {decimal} decibels at night.",
        "Our supplier {company} announced a price increase of {percent} from {date}.",
        "Visitors register at reception, wear a badge and stay with their host.",
        "The motor draws {decimal} amperes at full load and weighs {integer} kilograms.",
        "Minutes of the meeting on {date} were approved without changes.",
    ],
    "headings": ["Maintenance", "Delivery terms", "Safety at work", "Holiday and absence", "Quarterly figures", "Spare parts",
                 "Insurance cover", "Technical data", "Responsibilities", "Complaints", "Storage conditions", "Payment"],
    "titles": ["Operating manual", "Annual report", "Service agreement", "Staff handbook", "Price overview", "Inspection record"],
    "places": ["Millbrook", "Harrowgate", "Eastleigh", "Norwell", "Brackenridge", "Silverton"],
    "people": ["Helen Ashcroft", "Martin Oduya", "Priya Raman", "Tomas Lindqvist", "Grace Whitlock", "Daniel Kowal"],
    "companies": ["Aldermoor Ltd", "Fenwick Supplies", "Corvus Logistics", "Tidewater Engineering"],
    "items": ["gear pump", "ball valve", "filter element", "seal kit", "control unit", "coupling", "pressure gauge", "hose clamp",
              "bearing", "fan wheel", "drive belt", "float switch", "heat exchanger", "cable gland", "relay", "mounting plate"],
    "columns": ["Item", "Quantity", "Unit price", "Total"],
    "regions": ["North", "South", "East", "West", "Central", "Coastal"],
    "quarters": ["Region", "First", "Second", "Third", "Fourth"],
    "months": ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
    "section": "Section", "page": "Page", "of": "of", "caption": "Table",
    # Words that stand nowhere else: what must not come through.
    "forbidden": ["quernstone", "wainscot", "spindrift", "hollyhock", "marzipan", "catapult", "gargoyle", "periwinkle", "sassafras", "tamarind"],
}
RUSSIAN = {
    "sentences": [
        "Насос на площадке {place} прошёл обслуживание {date} и отработал {integer} часов без отказов.",
        "{person} подписывает договор с компанией {company} на сумму {money} сроком на {small} месяцев.",
        "Заполненную форму нужно вернуть до {date}, позже заявления не принимаются.",
        "Давление {decimal} бар считается нормальным, выше {decimal} бар открывается предохранительный клапан.",
        "Доставка занимает {small} рабочих дней и стоит {money} за поддон.",
        "С {year} года доля вторичного сырья выросла с {percent} до {percent}.",
        "Если лампа не горит, сначала проверьте предохранитель {code}, затем звоните по номеру {integer}.",
        "На следующий год можно перенести не более {small} дней отпуска.",
        "Гарантия распространяется на детали и работу в течение {small} лет, кроме износа уплотнений.",
        "Из {integer} опрошенных покупателей {percent} готовы заказать снова.",
        "Резервные копии хранятся {integer} дней на двух площадках, одна из них {place}.",
        "Счёт {code} на сумму {money} нужно оплатить в течение {small} дней.",
        "Измеренная температура {decimal} градуса находится в допустимых пределах.",
        "Новый склад даёт {integer} квадратных метров, на {percent} больше прежнего.",
        "Заказ {code} заменяет предыдущий заказ, который отозван.",
        "Страховая компания возмещает ущерб свыше {money}, если о нём сообщили в тот же день.",
        "Перед вскрытием кожуха главный выключатель следует заблокировать и обозначить табличкой.",
        "Командировочные расходы возмещаются вместе с зарплатой следующего месяца.",
        "Уровень шума у ограды не должен превышать {decimal} децибела в ночное время.",
        "Поставщик {company} объявил о повышении цен на {percent} с {date}.",
        "Посетители отмечаются на проходной, носят пропуск и остаются с сопровождающим.",
        "Двигатель потребляет {decimal} ампера при полной нагрузке и весит {integer} килограммов.",
        "Протокол совещания от {date} утверждён без изменений.",
    ],
    "headings": ["Обслуживание", "Условия поставки", "Охрана труда", "Отпуск и отсутствие", "Показатели квартала", "Запасные части",
                 "Страхование", "Технические данные", "Ответственность", "Рекламации", "Условия хранения", "Оплата"],
    "titles": ["Руководство по эксплуатации", "Годовой отчёт", "Договор об обслуживании", "Памятка сотрудника", "Перечень цен", "Акт осмотра"],
    "places": ["Берёзовка", "Каменка", "Сосновый Бор", "Заречье", "Ключи", "Старый Яр"],
    "people": ["Елена Крылова", "Андрей Соколов", "Мария Ефимова", "Игорь Щеглов", "Ольга Жданова", "Пётр Лебедев"],
    "companies": ["Северный Путь", "Техноснаб", "Альтаир Логистика", "Волжские Машины"],
    "items": ["насос шестерённый", "кран шаровой", "фильтр сменный", "комплект уплотнений", "блок управления", "муфта", "манометр", "хомут",
              "подшипник", "крыльчатка", "ремень приводной", "датчик уровня", "теплообменник", "ввод кабельный", "реле", "плита монтажная"],
    "columns": ["Наименование", "Количество", "Цена", "Сумма"],
    "regions": ["Север", "Юг", "Восток", "Запад", "Центр", "Побережье"],
    "quarters": ["Регион", "Первый", "Второй", "Третий", "Четвёртый"],
    "months": ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"],
    "section": "Раздел", "page": "Страница", "of": "из", "caption": "Таблица",
    "forbidden": ["подсолнух", "жёрнов", "черепица", "одуванчик", "скворечник", "катапульта", "барбарис", "медуница", "крыжовник", "полынь"],
}
LANGUAGES = {"en": ENGLISH, "ru": RUSSIAN}


class Prose:
    """A stream of text for one document."""

    def __init__(self, language, seed):
        self.language = language
        self.random = random.Random(f"{language} {seed}")
        self.words = LANGUAGES[language]
        self.left = []
        self.secret = list(self.words["forbidden"])
        self.random.shuffle(self.secret)

    def one(self, what):
        return self.random.choice(self.words[what])

    def some(self, what, count):
        return self.random.sample(self.words[what], count)

    def integer(self, low=11, high=9899):
        return str(self.random.randint(low, high))

    def decimal(self, low=1, high=999, places=2):
        number = f"{self.random.randint(low, high)}.{self.random.randint(1, 10**places - 1):0{places}}"
        return number if self.language == "en" else number.replace(".", ",")

    def money(self):
        thousands, rest, cents = self.random.randint(1, 480), self.random.randint(0, 999), self.random.randint(0, 99)
        if self.language == "en":
            return f"${thousands},{rest:03}.{cents:02}"
        return f"{thousands}\u00a0{rest:03},{cents:02}\u00a0руб."

    def date(self):
        day, month, year = self.random.randint(1, 28), self.random.randrange(12), self.random.randint(2019, 2026)
        name = self.words["months"][month]
        styles = [f"{day} {name} {year}", f"{day:02}.{month + 1:02}.{year}"]
        if self.language == "en":
            styles.append(f"{year}-{month + 1:02}-{day:02}")
        return self.random.choice(styles)

    def code(self):
        letters = "ABCDEFGHKLMNPRSTX" if self.language == "en" else "АБВГДЕКЛМНПРСТ"
        return f"{self.random.choice(letters)}{self.random.choice(letters)}-{self.random.randint(100, 9999)}"

    def percent(self):
        return f"{self.decimal(1, 98, 1)}%" if self.language == "en" else f"{self.decimal(1, 98, 1)}\u00a0%"

    def sentence(self):
        if not self.left:
            self.left = list(self.words["sentences"])
            self.random.shuffle(self.left)
        template = self.left.pop()
        values = {"integer": self.integer, "decimal": self.decimal, "money": self.money, "date": self.date, "code": self.code, "percent": self.percent,
                  "small": lambda: self.integer(2, 30), "year": lambda: self.integer(1995, 2024), "place": lambda: self.one("places"),
                  "person": lambda: self.one("people"), "company": lambda: self.one("companies")}
        out = ""
        while template:
            before, brace, rest = template.partition("{")
            out += before
            if not brace:
                break
            name, _, template = rest.partition("}")
            out += values[name]()
        return out

    def paragraph(self, sentences=4):
        return " ".join(self.sentence() for _ in range(sentences))

    def heading(self):
        return self.one("headings")

    def title(self):
        return f"{self.one('titles')} {self.random.randint(2019, 2026)}/{self.random.randint(10, 99)}"

    def forbidden(self):
        """A word that stands nowhere else."""
        return self.secret.pop()

    def price_table(self, rows):
        """(header, rows): four columns of an invoice."""
        items = self.some("items", min(rows, len(self.words["items"])))
        items += [f"{self.one('items')} {self.code()}" for _ in range(rows - len(items))]
        return list(self.words["columns"]), [[item, self.integer(1, 90), self.decimal(), self.decimal(1000, 9999)] for item in items]

    def quarter_table(self, rows=4):
        """(header, rows): regions by quarters."""
        regions = self.some("regions", min(rows, 6))
        return list(self.words["quarters"]), [[region, *(self.decimal(1, 99, 1) for _ in range(4))] for region in regions]
