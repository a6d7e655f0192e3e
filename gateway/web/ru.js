// Страница по-русски. Функция получает значения, нужные её тексту.

const span = (seconds) => {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
};

const digits = (count) => {
  const few = count % 10 >= 2 && count % 10 <= 4 && (count % 100 < 12 || count % 100 > 14);
  const one = count % 10 === 1 && count % 100 !== 11;
  return `${count} ${one ? "цифра" : few ? "цифры" : "цифр"}`;
};

export default {
  title: "Личный кабинет",
  brand: "Личный кабинет",
  language: "Язык",
  troubleTitle: "Минутку",
  retry: "Повторить",

  phoneTitle: "Вход",
  phoneLead: "Введите номер телефона. Мы пришлём одноразовый код, пароль не нужен.",
  phoneLabel: "Номер телефона",
  phoneHint: "С кодом страны, начиная с плюса.",
  phoneWrong: "Проверьте номер: плюс, код страны и все цифры.",
  invitedSummary: "У меня есть код приглашения",
  inviteLabel: "Код приглашения",
  invitedHint: "Он учитывается при первом входе.",
  sendCode: "Получить код",
  sending: "Отправляем…",
  promise: "Номер нужен для входа. Его увидит тот, чей код приглашения вы введёте.",

  codeTitle: "Введите код",
  codeLead: ({ phone }) => `Мы отправили его на номер ${phone}.`,
  simulated: ({ code }) => `Это пробный сервер: сообщений он не отправляет. Ваш код: ${code}.`,
  fill: "Подставить",
  codeLabel: "Одноразовый код",
  codeHint: ({ length }) => `${digits(length)}. Код проверяется, как только введена последняя.`,
  codeShort: ({ length }) => `В коде ${digits(length)}.`,
  signIn: "Войти",
  signingIn: "Входим…",
  countdown: ({ seconds }) => `Код действует ещё ${span(seconds)}.`,
  codeLate: "Время кода вышло. Запросите новый.",
  resend: "Отправить новый код",
  resendIn: ({ seconds }) => `Новый код через ${span(seconds)}`,
  resent: "Новый код отправлен. Подойдёт только он.",
  otherNumber: "Другой номер",

  signedInAs: "Вы вошли как",
  inviteTitle: "Пригласите друга",
  inviteLead: "Отправьте ссылку, покажите QR-код или просто назовите свой код.",
  copyLink: "Скопировать ссылку",
  copyCode: "Скопировать код",
  share: "Поделиться…",
  shareText: ({ code }) => `Мой код приглашения: ${code}`,
  copied: "Скопировано.",
  notCopied: "Браузер не даёт скопировать. Выделите текст и скопируйте его сами.",
  qr: "QR-код ссылки-приглашения",

  inviterTitle: "Кто вас пригласил",
  inviter: ({ code }) => `Вы пришли по коду приглашения ${code}.`,
  inviterLead: "Если вам дали код приглашения, введите его. Это делается один раз и навсегда.",
  activate: "Активировать",
  inviterAdded: "Код приглашения активирован.",
  inviteEmpty: "Введите код приглашения.",

  followersTitle: "Кто пришёл по вашему коду",
  noFollowers: "Пока никто. Они появятся здесь сами.",
  newFollowers: "Список пополнился.",
  refresh: "Обновить",
  refreshed: "Список обновлён.",
  more: "Показать ещё",

  devicesTitle: "Где вы вошли",
  device: ({ browser, system }) => [browser, system].filter(Boolean).join(", ") || "Неизвестное устройство",
  thisDevice: "это устройство",
  lastUsed: "последнее обращение",
  end: "Завершить",
  endOf: ({ device }) => `Завершить сеанс: ${device}`,
  ended: "Сеанс завершён.",

  accountTitle: "Аккаунт",
  signOut: "Выйти",
  signOutAll: "Выйти на всех устройствах",
  signedOut: "Вы вышли.",
  erase: "Удалить аккаунт…",
  eraseTitle: "Удалить аккаунт?",
  eraseText: "Ваш номер, код приглашения и список пришедших по нему будут удалены сразу. Вернуть их нельзя.",
  eraseNo: "Оставить",
  eraseYes: "Удалить навсегда",
  erased: "Ваш аккаунт удалён.",

  sessionOver: "Ваш сеанс завершён. Войдите снова.",
  PHONE_NUMBER_INVALID: "Проверьте номер: такого в его стране не бывает.",
  CODE_NOT_ACCEPTED: "Код не подошёл. Проверьте его или запросите новый.",
  CODE_MALFORMED: "Код не подошёл. Проверьте его или запросите новый.",
  INVITE_CODE_NOT_FOUND: "Такого кода приглашения ни у кого нет. Большие и малые буквы различаются.",
  INVITE_CODE_OWN: "Это ваш собственный код. Введите чужой.",
  INVITER_ALREADY_SET: "Вы уже вводили код приглашения.",
  SESSION_NOT_FOUND: "Этот сеанс уже завершён.",
  TOO_MANY_CODES: ({ seconds }) => `Слишком много запросов кода. Повторите через ${span(seconds)}.`,
  TOO_MANY_ATTEMPTS: ({ seconds }) => `Слишком много попыток. Повторите через ${span(seconds)}.`,
  NETWORK: "Нет связи с сервером. Ничего не потеряно: повторите чуть позже.",
  UNAVAILABLE: "У сервиса перерыв. Ничего не потеряно: повторите чуть позже.",
  UNKNOWN: "Что-то пошло не так. Повторите чуть позже.",
};
