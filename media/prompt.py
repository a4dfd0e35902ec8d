"""What callers are told, in several languages.

What may live here: the sentences. A `{}` stands for a number that is told with the sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

LANGUAGE = "en"
"""What is spoken where a sentence is in none of the languages asked for: every one is in this."""

PROMPTS: Mapping[str, Mapping[str, str]] = {
    "recorded": {
        "en": "This call is recorded.",
        "de": "Dieses Gespräch wird aufgezeichnet.",
        "fr": "Cet appel est enregistré.",
        "es": "Esta llamada se está grabando.",
        "it": "Questa chiamata viene registrata.",
        "nl": "Dit gesprek wordt opgenomen.",
    },
    "recording-started": {
        "en": "The recording has started.",
        "de": "Die Aufzeichnung hat begonnen.",
        "fr": "L'enregistrement a commencé.",
        "es": "La grabación ha comenzado.",
        "it": "La registrazione è iniziata.",
        "nl": "De opname is gestart.",
    },
    "recording-stopped": {
        "en": "The recording has ended.",
        "de": "Die Aufzeichnung ist beendet.",
        "fr": "L'enregistrement est terminé.",
        "es": "La grabación ha terminado.",
        "it": "La registrazione è terminata.",
        "nl": "De opname is beëindigd.",
    },
    "conference-pin": {
        "en": "Please enter the PIN of the conference, then press hash.",
        "de": "Bitte geben Sie die PIN der Konferenz ein, und dann die Rautetaste.",
        "fr": "Veuillez saisir le code de la conférence, puis appuyez sur dièse.",
        "es": "Introduzca el PIN de la conferencia y pulse almohadilla.",
        "it": "Inserire il PIN della conferenza, poi premere cancelletto.",
        "nl": "Voer de pincode van de conferentie in, gevolgd door een hekje.",
    },
    "pin-wrong": {
        "en": "That PIN is not right. Please try again.",
        "de": "Diese PIN ist nicht richtig. Bitte versuchen Sie es noch einmal.",
        "fr": "Ce code n'est pas correct. Veuillez réessayer.",
        "es": "El PIN no es correcto. Inténtelo de nuevo.",
        "it": "Il PIN non è corretto. Riprovare.",
        "nl": "Deze pincode is niet juist. Probeer het opnieuw.",
    },
    "conference-first": {
        "en": "You are the only one in this conference.",
        "de": "Sie sind der einzige Teilnehmer dieser Konferenz.",
        "fr": "Vous êtes le seul participant de cette conférence.",
        "es": "Usted es el único participante de esta conferencia.",
        "it": "Lei è l'unico partecipante di questa conferenza.",
        "nl": "U bent de enige deelnemer van deze conferentie.",
    },
    "conference-one": {
        "en": "There is one other participant in this conference.",
        "de": "Ein weiterer Teilnehmer ist in dieser Konferenz.",
        "fr": "Il y a un autre participant dans cette conférence.",
        "es": "Hay otro participante en esta conferencia.",
        "it": "C'è un altro partecipante in questa conferenza.",
        "nl": "Er is één andere deelnemer in deze conferentie.",
    },
    "conference-others": {
        "en": "There are {} other participants in this conference.",
        "de": "{} weitere Teilnehmer sind in dieser Konferenz.",
        "fr": "Il y a {} autres participants dans cette conférence.",
        "es": "Hay otros {} participantes en esta conferencia.",
        "it": "Ci sono altri {} partecipanti in questa conferenza.",
        "nl": "Er zijn {} andere deelnemers in deze conferentie.",
    },
    "conference-wait": {
        "en": "Please wait for the moderator.",
        "de": "Bitte warten Sie auf den Moderator.",
        "fr": "Veuillez attendre l'animateur.",
        "es": "Espere al moderador, por favor.",
        "it": "Attendere il moderatore.",
        "nl": "Wacht alstublieft op de moderator.",
    },
    "conference-locked": {
        "en": "This conference is locked.",
        "de": "Diese Konferenz ist geschlossen.",
        "fr": "Cette conférence est verrouillée.",
        "es": "Esta conferencia está cerrada.",
        "it": "Questa conferenza è chiusa.",
        "nl": "Deze conferentie is gesloten.",
    },
    "conference-full": {
        "en": "This conference is full.",
        "de": "Diese Konferenz ist voll.",
        "fr": "Cette conférence est complète.",
        "es": "Esta conferencia está completa.",
        "it": "Questa conferenza è al completo.",
        "nl": "Deze conferentie is vol.",
    },
    "conference-kicked": {
        "en": "You were removed from the conference.",
        "de": "Sie wurden aus der Konferenz entfernt.",
        "fr": "Vous avez été retiré de la conférence.",
        "es": "Ha sido expulsado de la conferencia.",
        "it": "Lei è stato rimosso dalla conferenza.",
        "nl": "U bent uit de conferentie verwijderd.",
    },
    "muted": {
        "en": "You are muted.",
        "de": "Sie sind stumm geschaltet.",
        "fr": "Votre micro est coupé.",
        "es": "Su micrófono está desactivado.",
        "it": "Il suo microfono è disattivato.",
        "nl": "Uw microfoon is uitgeschakeld.",
    },
    "unmuted": {
        "en": "You can be heard again.",
        "de": "Sie sind wieder zu hören.",
        "fr": "On vous entend de nouveau.",
        "es": "Ya se le oye de nuevo.",
        "it": "La si sente di nuovo.",
        "nl": "U bent weer te horen.",
    },
    "voicemail-busy": {
        "en": "The person you are calling is on the phone. Please leave a message after the tone.",
        "de": "Ihr Gesprächspartner telefoniert gerade. Bitte sprechen Sie nach dem Ton.",
        "fr": "Votre correspondant est déjà en ligne. Laissez un message après le signal sonore.",
        "es": "La persona a la que llama está ocupada. Deje un mensaje después de la señal.",
        "it": "La persona chiamata è occupata. Lasciare un messaggio dopo il segnale.",
        "nl": "De persoon die u belt is in gesprek. Spreek een bericht in na de toon.",
    },
    "voicemail-away": {
        "en": "The person you are calling does not answer. Please leave a message after the tone.",
        "de": "Ihr Gesprächspartner meldet sich nicht. Bitte sprechen Sie nach dem Ton.",
        "fr": "Votre correspondant ne répond pas. Laissez un message après le signal sonore.",
        "es": "La persona a la que llama no contesta. Deje un mensaje después de la señal.",
        "it": "La persona chiamata non risponde. Lasciare un messaggio dopo il segnale.",
        "nl": "De persoon die u belt neemt niet op. Spreek een bericht in na de toon.",
    },
    "voicemail": {
        "en": "Please leave a message after the tone.",
        "de": "Bitte sprechen Sie nach dem Ton.",
        "fr": "Laissez un message après le signal sonore.",
        "es": "Deje un mensaje después de la señal.",
        "it": "Lasciare un messaggio dopo il segnale.",
        "nl": "Spreek een bericht in na de toon.",
    },
    "voicemail-full": {
        "en": "This mailbox is full and takes no more messages.",
        "de": "Diese Mailbox ist voll und nimmt keine Nachrichten mehr an.",
        "fr": "Cette messagerie est pleine et n'accepte plus de messages.",
        "es": "Este buzón está lleno y no admite más mensajes.",
        "it": "Questa casella è piena e non accetta altri messaggi.",
        "nl": "Deze mailbox is vol en neemt geen berichten meer aan.",
    },
    "voicemail-saved": {
        "en": "Your message was saved.",
        "de": "Ihre Nachricht ist gespeichert.",
        "fr": "Votre message est enregistré.",
        "es": "Su mensaje se ha guardado.",
        "it": "Il messaggio è stato salvato.",
        "nl": "Uw bericht is opgeslagen.",
    },
    "voicemail-pin": {
        "en": "Please enter your PIN, then press hash.",
        "de": "Bitte geben Sie Ihre PIN ein, und dann die Rautetaste.",
        "fr": "Veuillez saisir votre code, puis appuyez sur dièse.",
        "es": "Introduzca su PIN y pulse almohadilla.",
        "it": "Inserire il PIN, poi premere cancelletto.",
        "nl": "Voer uw pincode in, gevolgd door een hekje.",
    },
    "voicemail-new": {
        "en": "New messages: {}.",
        "de": "Neue Nachrichten: {}.",
        "fr": "Nouveaux messages: {}.",
        "es": "Mensajes nuevos: {}.",
        "it": "Nuovi messaggi: {}.",
        "nl": "Nieuwe berichten: {}.",
    },
    "voicemail-old": {
        "en": "Saved messages: {}.",
        "de": "Gespeicherte Nachrichten: {}.",
        "fr": "Messages sauvegardés: {}.",
        "es": "Mensajes guardados: {}.",
        "it": "Messaggi salvati: {}.",
        "nl": "Bewaarde berichten: {}.",
    },
    "voicemail-empty": {
        "en": "There are no messages.",
        "de": "Es sind keine Nachrichten da.",
        "fr": "Il n'y a pas de messages.",
        "es": "No hay mensajes.",
        "it": "Non ci sono messaggi.",
        "nl": "Er zijn geen berichten.",
    },
    "voicemail-menu": {
        "en": "To hear it again, press 1. To keep it and go on, press 2. To delete it, press 3. To end, press star.",
        "de": "Zum Wiederholen drücken Sie 1. Zum Behalten 2. Zum Löschen 3. Zum Beenden die Sterntaste.",
        "fr": "Pour réécouter, tapez 1. Pour conserver, tapez 2. Pour effacer, tapez 3. Pour terminer, tapez étoile.",
        "es": "Para repetir, pulse 1. Para guardar, pulse 2. Para borrar, pulse 3. Para terminar, pulse asterisco.",
        "it": "Per riascoltare premere 1. Per conservare, 2. Per cancellare, 3. Per terminare, asterisco.",
        "nl": "Toets 1 om te herhalen, 2 om te bewaren, 3 om te wissen, en een sterretje om te stoppen.",
    },
    "voicemail-deleted": {
        "en": "The message was deleted.",
        "de": "Die Nachricht ist gelöscht.",
        "fr": "Le message est effacé.",
        "es": "El mensaje se ha borrado.",
        "it": "Il messaggio è stato cancellato.",
        "nl": "Het bericht is gewist.",
    },
    "greeting-record": {
        "en": "Record your greeting after the tone, then press hash.",
        "de": "Sprechen Sie Ihre Begrüßung nach dem Ton, und dann die Rautetaste.",
        "fr": "Enregistrez votre annonce après le signal sonore, puis appuyez sur dièse.",
        "es": "Grabe su saludo después de la señal y pulse almohadilla.",
        "it": "Registrare il saluto dopo il segnale, poi premere cancelletto.",
        "nl": "Spreek uw begroeting in na de toon, gevolgd door een hekje.",
    },
    "invalid": {
        "en": "That is not a valid choice.",
        "de": "Diese Auswahl gibt es nicht.",
        "fr": "Ce choix n'est pas valable.",
        "es": "Esa opción no es válida.",
        "it": "La scelta non è valida.",
        "nl": "Deze keuze is niet geldig.",
    },
    "goodbye": {
        "en": "Goodbye.",
        "de": "Auf Wiederhören.",
        "fr": "Au revoir.",
        "es": "Adiós.",
        "it": "Arrivederci.",
        "nl": "Tot ziens.",
    },
}


def fallbacks(language: str) -> Iterator[str]:
    """A tag, then what is left when its last part is taken away (RFC 4647 section 3.4), then `LANGUAGE`."""
    rest = language.lower()
    while rest:
        yield rest
        rest = rest.rpartition("-")[0]
    if language.lower().partition("-")[0] != LANGUAGE:
        yield LANGUAGE
