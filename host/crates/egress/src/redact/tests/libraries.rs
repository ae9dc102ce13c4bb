//! The output of common libraries in seven languages for a secret.

use super::redactor;

/// Every symbol of ASCII, a letter beyond, and a text that only looks like an escape.
const SYMBOLS: &str = r#"k3y/+=&<>"'~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#;
/// Longer than a line of base64.
const LONG: &str = "ZY3w/5xb+Y9wQ5kb=YLwm57b_Y-wa5Zb3Y/wx5+b9YQwk5=bLYmw75_b-YawZ53b/Yxw+59bQYkw=5LbmY7w_5-baYZw35=Z8";

/// Language, function, secret, and output.
#[rustfmt::skip]
const WRITTEN: &[(&str, &str, &str, &str)] = &[
    ("Python", "urllib.parse.quote", SYMBOLS, "k3y/%2B%3D%26%3C%3E%22%27~%60%21%2A%28x%29%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Python", "urllib.parse.quote, safe=''", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27~%60%21%2A%28x%29%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Python", "urllib.parse.quote_plus", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27~%60%21%2A%28x%29+%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Python", "html.escape", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#x27;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Python", "xml.sax.saxutils.escape", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;"'~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Python", "xml.sax.saxutils.quoteattr", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;'~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Python", "json.dumps", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) \u00e9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Python", "json.dumps, ensure_ascii=False", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Python", "json.dumps of json.dumps", SYMBOLS, r#"k3y/+=&<>\\\"'~`!*(x) \\u00e9%2F$#{@}:;,|^[]?\\\\.9Z"#),
    ("Python", "repr", SYMBOLS, r#"k3y/+=&<>"\'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Python", "ascii", SYMBOLS, r#"k3y/+=&<>"\'~`!*(x) \xe9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Python", "repr of bytes", SYMBOLS, r#"k3y/+=&<>"\'~`!*(x) \xc3\xa9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Python", "unicode_escape", SYMBOLS, r#"k3y/+=&<>"'~`!*(x) \xe9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Python", "xmlcharrefreplace", SYMBOLS, r#"k3y/+=&<>"'~`!*(x) &#233;%2F$#{@}:;,|^[]?\.9Z"#),
    ("Python", "base64.b64encode", SYMBOLS, "azN5Lys9Jjw+Iid+YCEqKHgpIMOpJTJGJCN7QH06Oyx8XltdP1wuOVo="),
    ("Python", "base64.urlsafe_b64encode", SYMBOLS, "azN5Lys9Jjw-Iid-YCEqKHgpIMOpJTJGJCN7QH06Oyx8XltdP1wuOVo="),
    ("Python", "base64.b32encode", SYMBOLS, "NMZXSLZLHUTDYPRCE57GAIJKFB4CSIGDVESTERREEN5UA7J2HMWHYXS3LU7VYLRZLI======"),
    ("Python", "base64.encodebytes", LONG, "Wlkzdy81eGIrWTl3UTVrYj1ZTHdtNTdiX1ktd2E1WmIzWS93eDUrYjlZUXdrNT1iTFltdzc1X2It\nWWF3WjUzYi9ZeHcrNTliUVlrdz01TGJtWTd3XzUtYmFZWnczNT1aOA=="),
    ("Python", "binascii.hexlify", SYMBOLS, "6b33792f2b3d263c3e22277e60212a28782920c3a925324624237b407d3a3b2c7c5e5b5d3f5c2e395a"),
    ("Python", "bytes.hex, separated", SYMBOLS, "6b:33:79:2f:2b:3d:26:3c:3e:22:27:7e:60:21:2a:28:78:29:20:c3:a9:25:32:46:24:23:7b:40:7d:3a:3b:2c:7c:5e:5b:5d:3f:5c:2e:39:5a"),
    ("Python", "quopri.encodestring", LONG, "ZY3w/5xb+Y9wQ5kb=3DYLwm57b_Y-wa5Zb3Y/wx5+b9YQwk5=3DbLYmw75_b-YawZ53b/Yxw+59=\nbQYkw=3D5LbmY7w_5-baYZw35=3DZ8"),
    ("Python", "quopri.encodestring of symbols", SYMBOLS, r#"k3y/+=3D&<>"'~`!*(x) =C3=A9%2F$#{@}:;,|^[]?\.9Z"#),
    ("Python", "shlex.quote", SYMBOLS, r#"k3y/+=&<>"'"'"'~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Python", "textwrap.fill", LONG, "ZY3w/5xb+Y9wQ5kb=YLwm57b_Y-wa5Zb3Y/wx5+b\n9YQwk5=bLYmw75_b-YawZ53b/Yxw+59bQYkw=5Lb\nmY7w_5-baYZw35=Z8"),
    ("Python", "str.upper", LONG, "ZY3W/5XB+Y9WQ5KB=YLWM57B_Y-WA5ZB3Y/WX5+B9YQWK5=BLYMW75_B-YAWZ53B/YXW+59BQYKW=5LBMY7W_5-BAYZW35=Z8"),
    ("JavaScript", "encodeURIComponent", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22'~%60!*(x)%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("JavaScript", "encodeURI", SYMBOLS, "k3y/+=&%3C%3E%22'~%60!*(x)%20%C3%A9%252F$#%7B@%7D:;,%7C%5E%5B%5D?%5C.9Z"),
    ("JavaScript", "escape", SYMBOLS, "k3y/+%3D%26%3C%3E%22%27%7E%60%21*%28x%29%20%E9%252F%24%23%7B@%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("JavaScript", "URLSearchParams", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27%7E%60%21*%28x%29+%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("JavaScript", "querystring.escape", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22'~%60!*(x)%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("JavaScript", "URL.pathname", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22'~%60!*(x)%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("JavaScript", "JSON.stringify", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("JavaScript", "JSON.stringify of JSON.stringify", SYMBOLS, r#"k3y/+=&<>\\\"'~`!*(x) é%2F$#{@}:;,|^[]?\\\\.9Z"#),
    ("JavaScript", "util.inspect", SYMBOLS, r#"k3y/+=&<>"\'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("JavaScript", "lodash.escape", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#39;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("JavaScript", "underscore.escape", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#x27;~&#x60;!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("JavaScript", "Handlebars.escapeExpression", SYMBOLS, r#"k3y/+&#x3D;&amp;&lt;&gt;&quot;&#x27;~&#x60;!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("JavaScript", "Mustache.escape", SYMBOLS, r#"k3y&#x2F;+&#x3D;&amp;&lt;&gt;&quot;&#39;~&#x60;!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("JavaScript", "he.encode", SYMBOLS, "k3y&#x2F;&#x2B;&#x3D;&#x26;&#x3C;&#x3E;&#x22;&#x27;&#x7E;&#x60;&#x21;&#x2A;&#x28;x&#x29;&#x20;&#xE9;&#x25;2F&#x24;&#x23;&#x7B;&#x40;&#x7D;&#x3A;&#x3B;&#x2C;&#x7C;&#x5E;&#x5B;&#x5D;&#x3F;&#x5C;&#x2E;9Z"),
    ("JavaScript", "serialize-javascript", SYMBOLS, r#"k3y\u002F+=&\u003C\u003E\"'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("JavaScript", "Buffer.toString('base64')", SYMBOLS, "azN5Lys9Jjw+Iid+YCEqKHgpIMOpJTJGJCN7QH06Oyx8XltdP1wuOVo="),
    ("JavaScript", "Buffer.toString('base64url')", SYMBOLS, "azN5Lys9Jjw-Iid-YCEqKHgpIMOpJTJGJCN7QH06Oyx8XltdP1wuOVo"),
    ("JavaScript", "Buffer.toString('hex')", SYMBOLS, "6b33792f2b3d263c3e22277e60212a28782920c3a925324624237b407d3a3b2c7c5e5b5d3f5c2e395a"),
    ("Java", "URLEncoder.encode", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27%7E%60%21*%28x%29+%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Java", "StringEscapeUtils.escapeHtml4", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;'~`!*(x) &eacute;%2F$#{@}:;,|^[]?\.9Z"#),
    ("Java", "StringEscapeUtils.escapeXml10", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&apos;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Java", "StringEscapeUtils.escapeJava", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) \u00E9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Java", "StringEscapeUtils.escapeEcmaScript", SYMBOLS, r#"k3y\/+=&<>\"\'~`!*(x) \u00E9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Java", "Gson.toJson", SYMBOLS, r#"k3y/+\u003d\u0026\u003c\u003e\"\u0027~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Java", "Jackson, ESCAPE_NON_ASCII", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) \u00E9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Java", "HtmlUtils.htmlEscape of Spring", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#39;~`!*(x) &eacute;%2F$#{@}:;,|^[]?\.9Z"#),
    ("Java", "Encode.forHtml of OWASP", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&#34;&#39;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Java", "encodeForHTML of ESAPI", SYMBOLS, "k3y&#x2f;&#x2b;&#x3d;&amp;&lt;&gt;&quot;&#x27;&#x7e;&#x60;&#x21;&#x2a;&#x28;x&#x29; &eacute;&#x25;2F&#x24;&#x23;&#x7b;&#x40;&#x7d;&#x3a;&#x3b;,&#x7c;&#x5e;&#x5b;&#x5d;&#x3f;&#x5c;.9Z"),
    ("Java", "Properties.store", SYMBOLS, r#"k3y/+\=&<>"'~`\!*(x) \u00E9%2F$\#{@}\:;,|^[]?\\.9Z"#),
    ("Java", "Base64.getMimeEncoder", LONG, "Wlkzdy81eGIrWTl3UTVrYj1ZTHdtNTdiX1ktd2E1WmIzWS93eDUrYjlZUXdrNT1iTFltdzc1X2It\r\nWWF3WjUzYi9ZeHcrNTliUVlrdz01TGJtWTd3XzUtYmFZWnczNT1aOA=="),
    ("Go", "url.QueryEscape", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27~%60%21%2A%28x%29+%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Go", "url.PathEscape", SYMBOLS, "k3y%2F+=&%3C%3E%22%27~%60%21%2A%28x%29%20%C3%A9%252F$%23%7B@%7D:%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Go", "html.EscapeString", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&#34;&#39;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Go", "html/template, attribute", SYMBOLS, r#"k3y/&#43;&#61;&amp;&lt;&gt;&#34;&#39;~&#96;!*(x)&#32;é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Go", "template.JSEscapeString", SYMBOLS, r#"k3y/+\u003D\u0026\u003C\u003E\"\'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Go", "json.Marshal", SYMBOLS, r#"k3y/+=\u0026\u003c\u003e\"'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Go", "%q", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Go", "%+q", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) \u00e9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Go", "%X", SYMBOLS, "6B33792F2B3D263C3E22277E60212A28782920C3A925324624237B407D3A3B2C7C5E5B5D3F5C2E395A"),
    ("Go", "% x", SYMBOLS, "6b 33 79 2f 2b 3d 26 3c 3e 22 27 7e 60 21 2a 28 78 29 20 c3 a9 25 32 46 24 23 7b 40 7d 3a 3b 2c 7c 5e 5b 5d 3f 5c 2e 39 5a"),
    ("Go", "base64.RawURLEncoding", SYMBOLS, "azN5Lys9Jjw-Iid-YCEqKHgpIMOpJTJGJCN7QH06Oyx8XltdP1wuOVo"),
    ("PHP", "htmlspecialchars", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#039;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("PHP", "htmlentities", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#039;~`!*(x) &eacute;%2F$#{@}:;,|^[]?\.9Z"#),
    ("PHP", "htmlspecialchars, ENT_HTML5", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&apos;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("PHP", "htmlentities, ENT_HTML5", SYMBOLS, "k3y&sol;&plus;&equals;&amp;&lt;&gt;&quot;&apos;~&grave;&excl;&ast;&lpar;x&rpar; &eacute;&percnt;2F&dollar;&num;&lbrace;&commat;&rcub;&colon;&semi;&comma;&vert;&Hat;&lbrack;&rsqb;&quest;&bsol;&period;9Z"),
    ("PHP", "rawurlencode", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27~%60%21%2A%28x%29%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("PHP", "urlencode", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27%7E%60%21%2A%28x%29+%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("PHP", "json_encode", SYMBOLS, r#"k3y\/+=&<>\"'~`!*(x) \u00e9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("PHP", "json_encode, JSON_HEX_*", SYMBOLS, r#"k3y\/+=\u0026\u003C\u003E\u0022\u0027~`!*(x) \u00e9%2F$#{@}:;,|^[]?\\.9Z"#),
    ("PHP", "var_export", SYMBOLS, r#"k3y/+=&<>"\'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("PHP", "addslashes", SYMBOLS, r#"k3y/+=&<>\"\'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("PHP", "preg_quote", SYMBOLS, r#"k3y\/\+\=&\<\>"'~`\!\*\(x\) é%2F\$\#\{@\}\:;,\|\^\[\]\?\\\.9Z"#),
    ("PHP", "quotemeta", SYMBOLS, r#"k3y/\+=&<>"'~`!\*\(x\) é%2F\$#{@}:;,|\^\[\]\?\\\.9Z"#),
    ("PHP", "bin2hex", SYMBOLS, "6b33792f2b3d263c3e22277e60212a28782920c3a925324624237b407d3a3b2c7c5e5b5d3f5c2e395a"),
    ("PHP", "chunk_split of base64_encode", LONG, "Wlkzdy81eGIrWTl3UTVrYj1ZTHdtNTdiX1ktd2E1WmIzWS93eDUrYjlZUXdrNT1iTFltdzc1X2It\r\nWWF3WjUzYi9ZeHcrNTliUVlrdz01TGJtWTd3XzUtYmFZWnczNT1aOA=="),
    ("PHP", "quoted_printable_encode", LONG, "ZY3w/5xb+Y9wQ5kb=3DYLwm57b_Y-wa5Zb3Y/wx5+b9YQwk5=3DbLYmw75_b-YawZ53b/Yxw+59=\r\nbQYkw=3D5LbmY7w_5-baYZw35=3DZ8"),
    ("PHP", "nl2br of wordwrap", LONG, "ZY3w/5xb+Y9wQ5kb=YLwm57b_Y-wa5Zb3Y/wx5+b9YQwk5=bLYmw75_b-Yaw<br />\nZ53b/Yxw+59bQYkw=5LbmY7w_5-baYZw35=Z8"),
    ("Ruby", "CGI.escape", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27~%60%21*%28x%29+%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Ruby", "ERB::Util.url_encode", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27~%60%21%2A%28x%29%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    ("Ruby", "CGI.escapeHTML", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#39;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    ("Ruby", "String#inspect", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) é%2F$\#{@}:;,|^[]?\\.9Z"#),
    ("Ruby", "String#dump", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) \u00E9%2F$\#{@}:;,|^[]?\\.9Z"#),
    ("Ruby", "String#dump of bytes", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) \xC3\xA9%2F$\#{@}:;,|^[]?\\.9Z"#),
    ("Ruby", "to_json of Rails", SYMBOLS, r#"k3y/+=\u0026\u003c\u003e\"'~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    ("Ruby", "Shellwords.escape", SYMBOLS, r#"k3y/+\=\&\<\>\"\'\~\`\!\*\(x\)\ é\%2F\$\#\{@\}:\;,\|\^\[\]\?\\.9Z"#),
    ("Ruby", "Base64.encode64", LONG, "Wlkzdy81eGIrWTl3UTVrYj1ZTHdtNTdiX1ktd2E1WmIzWS93eDUrYjlZUXdr\nNT1iTFltdzc1X2ItWWF3WjUzYi9ZeHcrNTliUVlrdz01TGJtWTd3XzUtYmFZ\nWnczNT1aOA=="),
    ("Ruby", "Base64.urlsafe_encode64", SYMBOLS, "azN5Lys9Jjw-Iid-YCEqKHgpIMOpJTJGJCN7QH06Oyx8XltdP1wuOVo="),
    ("Ruby", "pack('M')", LONG, "ZY3w/5xb+Y9wQ5kb=3DYLwm57b_Y-wa5Zb3Y/wx5+b9YQwk5=3DbLYmw75_b-YawZ53b/Yxw+59=\nbQYkw=3D5LbmY7w_5-baYZw35=3DZ8"),
    (".NET", "WebUtility.HtmlEncode", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&#39;~`!*(x) &#233;%2F$#{@}:;,|^[]?\.9Z"#),
    (".NET", "HtmlEncoder.Default", SYMBOLS, r#"k3y/&#x2B;=&amp;&lt;&gt;&quot;&#x27;~&#x60;!*(x) &#xE9;%2F$#{@}:;,|^[]?\.9Z"#),
    (".NET", "SecurityElement.Escape", SYMBOLS, r#"k3y/+=&amp;&lt;&gt;&quot;&apos;~`!*(x) é%2F$#{@}:;,|^[]?\.9Z"#),
    (".NET", "HttpUtility.UrlEncode", SYMBOLS, "k3y%2f%2b%3d%26%3c%3e%22%27%7e%60!*(x)+%c3%a9%252F%24%23%7b%40%7d%3a%3b%2c%7c%5e%5b%5d%3f%5c.9Z"),
    (".NET", "WebUtility.UrlEncode", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27%7E%60!*(x)+%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    (".NET", "Uri.EscapeDataString", SYMBOLS, "k3y%2F%2B%3D%26%3C%3E%22%27~%60%21%2A%28x%29%20%C3%A9%252F%24%23%7B%40%7D%3A%3B%2C%7C%5E%5B%5D%3F%5C.9Z"),
    (".NET", "HttpUtility.UrlEncodeUnicode", SYMBOLS, "k3y%2f%2b%3d%26%3c%3e%22%27%7e%60!*(x)+%u00e9%252F%24%23%7b%40%7d%3a%3b%2c%7c%5e%5b%5d%3f%5c.9Z"),
    (".NET", "System.Text.Json", SYMBOLS, r#"k3y/\u002B=\u0026\u003C\u003E\u0022\u0027~\u0060!*(x) \u00E9%2F$#{@}:;,|^[]?\\.9Z"#),
    (".NET", "HttpUtility.JavaScriptStringEncode", SYMBOLS, r#"k3y/+=\u0026\u003c\u003e\"\u0027~`!*(x) é%2F$#{@}:;,|^[]?\\.9Z"#),
    (".NET", "Newtonsoft, EscapeNonAscii", SYMBOLS, r#"k3y/+=&<>\"'~`!*(x) \u00e9%2F$#{@}:;,|^[]?\\.9Z"#),
    (".NET", "Regex.Escape", SYMBOLS, r#"k3y/\+=&<>"'~`!\*\(x\)\ é%2F\$\#\{@}:;,\|\^\[]\?\\\.9Z"#),
    (".NET", "Convert.ToBase64String, InsertLineBreaks", LONG, "Wlkzdy81eGIrWTl3UTVrYj1ZTHdtNTdiX1ktd2E1WmIzWS93eDUrYjlZUXdrNT1iTFltdzc1X2It\r\nWWF3WjUzYi9ZeHcrNTliUVlrdz01TGJtWTd3XzUtYmFZWnczNT1aOA=="),
    (".NET", "Convert.ToBase64String of Encoding.Unicode", SYMBOLS, "awAzAHkALwArAD0AJgA8AD4AIgAnAH4AYAAhACoAKAB4ACkAIADpACUAMgBGACQAIwB7AEAAfQA6ADsALAB8AF4AWwBdAD8AXAAuADkAWgA="),
    (".NET", "BitConverter.ToString", SYMBOLS, "6B-33-79-2F-2B-3D-26-3C-3E-22-27-7E-60-21-2A-28-78-29-20-C3-A9-25-32-46-24-23-7B-40-7D-3A-3B-2C-7C-5E-5B-5D-3F-5C-2E-39-5A"),
    (".NET", "Convert.ToHexString", SYMBOLS, "6B33792F2B3D263C3E22277E60212A28782920C3A925324624237B407D3A3B2C7C5E5B5D3F5C2E395A"),
];
/// The same for functions that write each byte as a number. They do not break a line within a number.
#[rustfmt::skip]
const LISTED: &[(&str, &str, &str, &str)] = &[
    ("Python", "list of bytes", SYMBOLS, "107, 51, 121, 47, 43, 61, 38, 60, 62, 34, 39, 126, 96, 33, 42, 40, 120, 41, 32, 195, 169, 37, 50, 70, 36, 35, 123, 64, 125, 58, 59, 44, 124, 94, 91, 93, 63, 92, 46, 57, 90"),
    ("JavaScript", "Buffer.toJSON", SYMBOLS, "107,51,121,47,43,61,38,60,62,34,39,126,96,33,42,40,120,41,32,195,169,37,50,70,36,35,123,64,125,58,59,44,124,94,91,93,63,92,46,57,90"),
    ("Java", "Arrays.toString of bytes", SYMBOLS, "107, 51, 121, 47, 43, 61, 38, 60, 62, 34, 39, 126, 96, 33, 42, 40, 120, 41, 32, -61, -87, 37, 50, 70, 36, 35, 123, 64, 125, 58, 59, 44, 124, 94, 91, 93, 63, 92, 46, 57, 90"),
    ("Go", "%v of bytes", SYMBOLS, "107 51 121 47 43 61 38 60 62 34 39 126 96 33 42 40 120 41 32 195 169 37 50 70 36 35 123 64 125 58 59 44 124 94 91 93 63 92 46 57 90"),
    ("Go", "%#v of bytes", SYMBOLS, "0x6b, 0x33, 0x79, 0x2f, 0x2b, 0x3d, 0x26, 0x3c, 0x3e, 0x22, 0x27, 0x7e, 0x60, 0x21, 0x2a, 0x28, 0x78, 0x29, 0x20, 0xc3, 0xa9, 0x25, 0x32, 0x46, 0x24, 0x23, 0x7b, 0x40, 0x7d, 0x3a, 0x3b, 0x2c, 0x7c, 0x5e, 0x5b, 0x5d, 0x3f, 0x5c, 0x2e, 0x39, 0x5a"),
    ("Ruby", "String#bytes", SYMBOLS, "107, 51, 121, 47, 43, 61, 38, 60, 62, 34, 39, 126, 96, 33, 42, 40, 120, 41, 32, 195, 169, 37, 50, 70, 36, 35, 123, 64, 125, 58, 59, 44, 124, 94, 91, 93, 63, 92, 46, 57, 90"),
];
/// A service account's key, shortened.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu\nNMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s+CLOyS56YyCFGeJZ\n-----END PRIVATE KEY-----\n";

fn assert_redacted(what: &str, secret: &str, echo: &str) {
    for (before, after) in [
        ("", ""),
        ("sent (", ")."),
        ("{\"a\": \"", "\"}"),
        ("<td>", "</td>"),
        ("?a=", "&b=c"),
        ("x=", ";\r\n"),
        (": ", " x\n"),
    ] {
        let clean = redactor(&[secret]).redact_text(&format!("{before}{echo}{after}")).into_owned();
        assert_eq!(clean, format!("{before}***{after}"), "{what}: {before}{echo}{after}");
    }
}

#[test]
fn what_a_library_writes_of_a_secret_is_replaced_exactly() {
    let mut languages: Vec<&str> = WRITTEN.iter().map(|(language, ..)| *language).collect();
    languages.dedup();
    assert!(languages.len() == 7 && WRITTEN.len() > 100, "{languages:?}");
    for (language, function, secret, echo) in WRITTEN.iter().chain(LISTED) {
        assert_redacted(&format!("{language} {function}"), secret, echo);
    }
}

#[test]
fn what_a_library_writes_is_replaced_inside_of_other_formats() {
    for (language, function, secret, echo) in WRITTEN.iter().chain(LISTED) {
        let json = serde_json::Value::from(*echo).to_string();
        let twice = serde_json::Value::from(json.as_str()).to_string();
        let html = echo.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let url = percent_encoding::utf8_percent_encode(echo, percent_encoding::NON_ALPHANUMERIC).to_string();
        let base64 = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        for text in [
            json,
            twice,
            html,
            url,
            base64(echo),
            base64(&base64(echo)),
            base64(&format!("{{\"password\":\"{echo}\"}}")),
        ] {
            let clean = redactor(&[secret]).redact_text(&text).into_owned();
            assert!(clean.contains("***"), "{language} {function}: {text} gave {clean}");
            assert!(clean.len() < 48, "{language} {function}: {text} gave {clean}");
        }
    }
}

#[test]
fn what_a_library_writes_is_replaced_where_it_is_broken_into_lines() {
    for (language, function, secret, echo) in WRITTEN {
        // Groups of base64 and pairs of digits are kept, as in lines of mails and keys.
        for width in [24, 36] {
            let lines: Vec<String> =
                echo.chars().collect::<Vec<_>>().chunks(width).map(|line| line.iter().collect()).collect();
            for text in [lines.join("\n"), lines.join("\r\n\t")] {
                let clean = redactor(&[secret]).redact_text(&format!("[{text}]")).into_owned();
                assert!(clean.contains("***") && clean.len() < 20, "{language} {function}: {text} gave {clean}");
            }
        }
    }
}

#[test]
fn a_text_in_utf_16_or_latin_1_is_searched() {
    for secret in [SYMBOLS, LONG, PEM, "пароль-от-сервера-42"] {
        let redactor = redactor(&[secret]);
        let text = format!("\u{feff}sent ({secret}).");
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
            let clean = redactor.redact(&bytes);
            assert!(clean.len() < 24 && memchr::memmem::find(&clean, b"***").is_some(), "{secret}: {clean:?}");
        }
    }
    let latin_1: Vec<u8> = SYMBOLS.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert_eq!(*redactor(&[SYMBOLS]).redact(&[b"[", latin_1.as_slice(), b"]"].concat()), *b"[***]");
}

#[test]
fn a_private_key_is_replaced_however_its_lines_are_broken() {
    let lines: Vec<&str> = PEM.lines().collect();
    let body = lines[1..lines.len() - 1].concat();
    let around = |inner: &str, between: &str| [lines[0], inner, lines[lines.len() - 1]].join(between);
    for (what, echo) in [
        ("as it is", PEM.trim_end().to_owned()),
        ("carriage returns", lines.join("\r\n")),
        ("old Macintosh", lines.join("\r")),
        ("indented", lines.join("\n    ")),
        ("indented by tabs", lines.join("\n\t\t")),
        ("on one line", lines.join(" ")),
        ("without any blanks between lines", lines.concat()),
        ("escaped", lines.join("\\n")),
        ("escaped twice", lines.join("\\\\n")),
        ("escaped with carriage returns", lines.join("\\r\\n")),
        ("re-wrapped at 76", around(&[&body[..76], &body[76..152], &body[152..]].join("\n"), "\n")),
        ("re-wrapped at 48", around(&[&body[..48], &body[48..96], &body[96..]].join("\r\n"), "\r\n")),
        ("body on one line", around(&body, "\n")),
        ("in HTML", lines.join("<br/>\n")),
        ("in a form", lines.join("%0D%0A").replace('+', "%2B").replace(' ', "+")),
        ("body alone", body.clone()),
        ("body alone, wrapped", [&body[..60], &body[60..]].join("\n")),
        ("in capitals", PEM.trim_end().to_uppercase()),
        ("in another PEM's place", lines.join("\\n").replace('/', "\\/")),
    ] {
        assert_redacted(what, PEM, &echo);
        // With its line breaks escaped or not, the stored text is the same secret.
        for stored in [PEM.replace('\n', "\\n"), PEM.replace('\n', "\r\n"), lines.concat()] {
            let clean = redactor(&[&stored]).redact_text(&format!("[{echo}]")).into_owned();
            assert_eq!(clean, "[***]", "{what}, {stored}");
        }
    }
}

#[test]
fn an_ordinary_answer_keeps_all_its_words() {
    let answer = r#"{"message":"The Sandbox account \"Acme &amp; Sons\" has no password; see https://example.com/a%20b?token=abc","id":"ZG9jdW1lbnQgb2YgYSBwcm92aWRlcg==","tests":["Test","PASSWORD","p a s s w o r d"]}"#;
    for secret in ["test", "password", "sandbox", "Production", "account-7", "a1b2", "Sandbox account"] {
        let clean = redactor(&[secret]).redact_text(answer).into_owned();
        let expected = answer.replace(secret, "***").replace(&secret.to_lowercase(), "***");
        assert_eq!(clean, expected, "{secret}");
    }
}
