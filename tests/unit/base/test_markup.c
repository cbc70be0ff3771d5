/* Text for HTML: what is escaped, what is no character, and base 64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/markup.h"

static void becomes(const char *value, const char *expected)
{
    sg_text text = {0};
    assert_int_equal(sg_text_add(&text, "%s", ""), SG_OK);
    assert_int_equal(sg_text_add_html(&text, value), SG_OK);
    assert_string_equal(text.data, expected);
    sg_text_clear(&text);
}

static void what_html_reserves_is_escaped(void **state)
{
    becomes("", "");
    becomes("<b class=\"x\">'&amp;'</b>",
            "&lt;b class=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/b&gt;");
    becomes("line\n\tnext", "line\n\tnext");
}

static void what_is_no_character_is_replaced(void **state)
{
    becomes("Gr\xc3\xbcn \xe6\xa3\xae \xf0\x9f\x8c\xb2",
            "Gr\xc3\xbcn \xe6\xa3\xae \xf0\x9f\x8c\xb2");
    becomes("a\xfc<", "a\xef\xbf\xbd&lt;");          /* Latin-1 */
    becomes("\x01\x7f", "\xef\xbf\xbd\xef\xbf\xbd"); /* control characters */
    becomes("\xc3", "\xef\xbf\xbd");                 /* cut off */
    becomes("\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd"); /* "<" in two bytes */
    becomes("\xe0\x80\xbc", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    becomes("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* half of a pair */
    becomes("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

/* The vectors of RFC 4648, and bytes above 127. */
static void base_64_is_that_of_the_rfc(void **state)
{
    static const char *const vector[][2] = {{"", ""},
                                            {"f", "Zg=="},
                                            {"fo", "Zm8="},
                                            {"foo", "Zm9v"},
                                            {"foob", "Zm9vYg=="},
                                            {"fooba", "Zm9vYmE="},
                                            {"foobar", "Zm9vYmFy"},
                                            {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof vector / sizeof *vector; i++) {
        sg_text text = {0};
        assert_int_equal(sg_text_add(&text, ">"), SG_OK);
        assert_int_equal(
            sg_text_add_base64(&text, (const uint8_t *)vector[i][0], strlen(vector[i][0])), SG_OK);
        assert_int_equal(sg_text_add(&text, "<"), SG_OK);
        assert_memory_equal(text.data + 1, vector[i][1], strlen(vector[i][1]));
        assert_int_equal(text.length, strlen(vector[i][1]) + 2);
        sg_text_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_html_reserves_is_escaped),
        cmocka_unit_test(what_is_no_character_is_replaced),
        cmocka_unit_test(base_64_is_that_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
