/// Text of a page, in which nothing of it is taken for markup.
func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
        switch character {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        default: result.append(character)
        }
    }
    return result
}

/// An element: `<name attributes>content</name>`.
func element(_ name: String, _ attributes: KeyValuePairs<String, String>, _ content: String) -> String {
    "<\(name)\(attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined())>\(content)</\(name)>"
}

func element(_ name: String, _ content: String) -> String { element(name, [:], content) }
