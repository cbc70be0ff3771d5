#include "jobs/report_table.h"

#include "base/markup.h"

sg_err sg_report_begin_table(const char *id, const char *label, const char *const *column,
                             int words, sg_text *html)
{
    sg_err err = sg_text_add(html,
                             "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                             "aria-label=\"%s\"><table id=\"%s\"><thead><tr>",
                             label, id);
    for (int i = 0; err == SG_OK && column[i] != NULL; i++)
        err = sg_text_add(html, "<th scope=\"col\"%s>%s</th>", i < words ? "" : " class=\"n\"",
                          column[i]);
    return err == SG_OK ? sg_text_add(html, "</tr></thead><tbody>\n") : err;
}

sg_err sg_report_end_table(sg_text *html)
{
    return sg_text_add(html, "</tbody></table></div>\n");
}

sg_err sg_report_add_class(const sg_class *class, sg_text *html)
{
    sg_err err = sg_text_add(html, "<i class=\"sw\" style=\"background:#%02x%02x%02x\"></i>",
                             class->colour[0], class->colour[1], class->colour[2]);
    return err == SG_OK ? sg_text_add_html(html, class->name) : err;
}

sg_err sg_report_begin_row(const sg_class *class, sg_text *html)
{
    sg_err err = sg_text_add(html, "<tr><th scope=\"row\">");
    if (err == SG_OK)
        err = sg_report_add_class(class, html);
    return err == SG_OK ? sg_text_add(html, "</th>") : err;
}

sg_err sg_report_add_count(int64_t count, sg_text *html)
{
    int64_t unit = 1;
    while (count / unit >= 1000)
        unit *= 1000;
    sg_err err = sg_text_add(html, "%lld", (long long)(count / unit));
    for (unit /= 1000; err == SG_OK && unit > 0; unit /= 1000) /* a narrow space that holds */
        err = sg_text_add(html, "&#8239;%03lld", (long long)(count / unit % 1000));
    return err;
}
